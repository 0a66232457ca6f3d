import { describe, expect, test } from 'vitest'
import { KernelError } from './errors.ts'
import { type AnyHook, defineHook, type HookOptions } from './hook.ts'
import { type HookCall, HookRegistry } from './registry.ts'
import { memoryLogger } from './testing.ts'

const log = memoryLogger()
const create = () => new HookRegistry(log)
const add = (
  registry: HookRegistry,
  hook: AnyHook,
  plugin: string,
  handler: (...args: never[]) => unknown,
  options?: HookOptions,
) => registry.add(hook, plugin, handler as (...args: unknown[]) => unknown, options)
const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.fail('it should have failed'),
    (error) => error,
  )
const throwing = (error: unknown) => () => {
  throw error
}

describe('order', () => {
  const hook = defineHook.series<string[]>('order')
  const order = async (...handlers: [plugin: string, options?: HookOptions][]) => {
    const registry = create()
    for (const [plugin, options] of handlers) {
      add(registry, hook, plugin, (seen: string[]) => void seen.push(plugin), options)
    }
    const seen: string[] = []
    await registry.call(hook, seen)
    return seen.join(' ')
  }

  test('is by phase, then by registration', async () => {
    expect(
      await order(['a', { order: 'post' }], ['b'], ['c', { order: 'pre' }], ['d', { order: 'normal' }]),
    ).toBe('c b d a')
  })

  test('gives way to before and after', async () => {
    expect(await order(['a'], ['b', { before: ['a'] }], ['c', { order: 'pre', after: ['a'] }])).toBe('b a c')
  })

  test('ignores names of plugins that are not there, and of the plugin itself', async () => {
    expect(await order(['a', { after: ['none', 'a'] }], ['a', { before: ['a'] }])).toBe('a a')
  })

  test('refuses a contradiction', () => {
    const registry = create()
    add(registry, hook, 'a', () => {}, { after: ['b'] })
    expect(() => add(registry, hook, 'b', () => {}, { after: ['a'] })).toThrow(
      expect.objectContaining({ code: 'HOOK_ORDER_CYCLE', hook: 'order' }),
    )
  })
})

describe('tokens', () => {
  test('of one name meet, and of another kind are refused', async () => {
    const registry = create()
    add(registry, defineHook.bail<void, number>('same'), 'a', () => 1)
    expect(await registry.call(defineHook.bail<void, number>('same'))).toEqual({ value: 1, plugin: 'a' })
    const error = await failure(registry.call(defineHook.series<void>('same')))
    expect(error).toMatchObject({ code: 'HOOK_KIND_MISMATCH', hook: 'same' })
    expect(() => add(registry, defineHook.around('same'), 'b', () => {})).toThrow('is of kind bail')
  })

  test('a handler that was taken out is not called, but by calls in flight', async () => {
    const registry = create()
    const hook = defineHook.series<string[]>('out')
    let takeOut = () => {}
    add(registry, hook, 'a', (seen: string[]) => {
      seen.push('a')
      takeOut()
    })
    takeOut = add(registry, hook, 'b', (seen: string[]) => void seen.push('b'))
    const seen: string[] = []
    await registry.call(hook, seen)
    await registry.call(hook, seen)
    expect(seen).toEqual(['a', 'b', 'a'])
  })
})

describe('series', () => {
  test('ends at the first failure and blames plugin and hook', async () => {
    const registry = create()
    const hook = defineHook.series<string[]>('series')
    const thrown = new Error('boom')
    add(registry, hook, 'a', async (seen: string[]) => void seen.push('a'))
    add(registry, hook, 'b', throwing(thrown))
    add(registry, hook, 'c', (seen: string[]) => void seen.push('c'))
    const seen: string[] = []
    const error = await failure(registry.call(hook, seen))
    expect(error).toBeInstanceOf(KernelError)
    expect(error).toMatchObject({ code: 'HOOK_FAILED', plugin: 'b', hook: 'series' })
    expect(error.message).toBe('Plugin "b" failed in hook "series": boom')
    expect(error.cause).toBe(thrown)
    expect(seen).toEqual(['a'])
  })
})

describe('parallel', () => {
  const hook = defineHook.parallel<string[]>('parallel')

  test('lets all finish, then throws the failures together', async () => {
    const registry = create()
    add(registry, hook, 'a', throwing('one'))
    add(registry, hook, 'b', async (seen: string[]) => {
      await Promise.resolve()
      seen.push('b')
    })
    add(registry, hook, 'c', throwing('two'))
    const seen: string[] = []
    const error = await failure(registry.call(hook, seen))
    expect(error).toBeInstanceOf(AggregateError)
    expect(error.errors.map(({ plugin, cause }: KernelError) => [plugin, cause])).toEqual([
      ['a', 'one'],
      ['c', 'two'],
    ])
    expect(error.message).toContain('Plugin "c" failed in hook "parallel": two')
    expect(seen).toEqual(['b'])
  })

  test('resolves where nothing fails', async () => {
    const registry = create()
    add(registry, hook, 'a', () => {})
    await expect(registry.call(hook, [])).resolves.toBeUndefined()
  })
})

describe('bail', () => {
  const hook = defineHook.bail<string[], string | null>('bail')

  test('the first answer wins and names its plugin; undefined declines, null does not', async () => {
    const registry = create()
    add(registry, hook, 'a', () => undefined)
    add(registry, hook, 'b', async () => null)
    add(registry, hook, 'c', (seen: string[]) => void seen.push('c'))
    const seen: string[] = []
    expect(await registry.call(hook, seen)).toEqual({ value: null, plugin: 'b' })
    expect(seen).toEqual([])
  })

  test('has no answer where everybody declines', async () => {
    const registry = create()
    add(registry, hook, 'a', () => undefined)
    expect(await registry.call(hook, [])).toBeUndefined()
  })
})

describe('waterfall', () => {
  const hook = defineHook.waterfall<number, { factor: number }>('waterfall')

  test('hands the value on, with the context', async () => {
    const registry = create()
    add(registry, hook, 'a', (value: number, { factor }: { factor: number }) => value * factor)
    add(registry, hook, 'b', async (value: number) => value + 1)
    expect(await registry.call(hook, 2, { factor: 10 })).toBe(21)
  })

  test('blames the plugin that returns nothing', async () => {
    const registry = create()
    add(registry, hook, 'a', () => {})
    const error = await failure(registry.call(hook, 2, { factor: 10 }))
    expect(error).toMatchObject({
      code: 'HOOK_FAILED',
      plugin: 'a',
      message: expect.stringContaining('returned nothing'),
    })
    expect(error.cause).toBeInstanceOf(TypeError)
  })
})

describe('around', () => {
  const hook = defineHook.around<string[], number>('around')
  type Next = () => Promise<number>

  test('wraps, the first outermost', async () => {
    const registry = create()
    for (const name of ['outer', 'inner']) {
      add(registry, hook, name, async (seen: string[], next: Next) => {
        seen.push(name)
        const result = await next()
        seen.push(name)
        return result * 2
      })
    }
    const seen: string[] = []
    expect(await registry.call(hook, seen, async () => seen.push('core'))).toBe(12)
    expect(seen).toEqual(['outer', 'inner', 'core', 'inner', 'outer'])
  })

  test('is the core alone where nobody wraps', async () => {
    expect(await create().call(hook, [], async () => 7)).toBe(7)
  })

  test('a wrapper may answer itself, or try again', async () => {
    const registry = create()
    add(registry, hook, 'retry', (_: unknown, next: Next) => next().catch(next))
    let calls = 0
    const flaky = async () => {
      calls += 1
      if (calls === 1) throw new Error('first time')
      return calls
    }
    expect(await registry.call(hook, [], flaky)).toBe(2)
    add(registry, hook, 'cache', () => 5)
    expect(await registry.call(hook, [], flaky)).toBe(5)
  })

  test('a failure of the core passes every wrapper untouched', async () => {
    const registry = create()
    const thrown = new Error('core')
    add(registry, hook, 'a', (_: unknown, next: Next) => next())
    add(registry, hook, 'b', async (_: unknown, next: Next) => await next())
    expect(await failure(registry.call(hook, [], throwing(thrown)))).toBe(thrown)
  })

  test('a wrapper is blamed for its own failure, also where it was provoked by one beneath', async () => {
    const registry = create()
    const own = new Error('own')
    add(registry, hook, 'outer', (_: unknown, next: Next) => next())
    add(registry, hook, 'inner', (_: unknown, next: Next) => next().catch(throwing(own)))
    const error = await failure(registry.call(hook, [], throwing(new Error('core'))))
    expect(error).toMatchObject({ plugin: 'inner', hook: 'around' })
    expect(error.cause).toBe(own)
  })
})

describe('observers', () => {
  const around = defineHook.around<void, number>('traced')
  const calls = async (observe: (call: HookCall) => void) => {
    const registry = create()
    add(registry, around, 'passes', (_: unknown, next: () => unknown) => next())
    add(registry, around, 'fails', throwing('no'))
    const stop = registry.observe(observe)
    await failure(registry.call(around, undefined, async () => 1))
    stop()
    await failure(registry.call(around, undefined, async () => 1))
  }

  test('hear of every handler call, with the error of the one at fault', async () => {
    const seen: HookCall[] = []
    await calls((call) => seen.push(call))
    expect(seen).toEqual([
      {
        hook: 'traced',
        plugin: 'fails',
        ms: expect.any(Number),
        error: expect.objectContaining({ plugin: 'fails' }),
      },
      { hook: 'traced', plugin: 'passes', ms: expect.any(Number) },
    ])
  })

  test('do no harm when they fail', async () => {
    await calls(throwing('bad observer'))
    expect(log.entries).toContainEqual({
      level: 'error',
      message: 'An observer of hook calls failed',
      fields: { hook: 'traced', error: 'bad observer' },
    })
  })
})
