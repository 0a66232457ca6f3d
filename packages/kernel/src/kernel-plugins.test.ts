import fc from 'fast-check'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { A, B, create, failure, plugin, throwing, tick } from '../test/plugins.ts'
import { KernelError } from './errors.ts'
import { defineHook } from './hook.ts'
import { definePlugin, type PluginContext } from './plugin.ts'
import { defineService } from './service.ts'

afterEach(() => vi.useRealTimers())

describe('the context', () => {
  const codeOf = (run: () => unknown) => {
    try {
      run()
    } catch (error) {
      return error instanceof KernelError && `${error.code} ${error.plugin}`
    }
    return 'no error'
  }

  test('gives settings, log, services and hooks', async () => {
    const hello = defineHook.waterfall<string>('hello')
    const kernel = create([
      plugin('one', { provides: [A] }, (ctx) => ctx.on(hello, (text) => `${text}, one`)),
      {
        plugin: plugin('two', { requires: [A], config: z.object({ port: z.number() }) }, async (ctx) => {
          for (const level of ['debug', 'info', 'warn', 'error'] as const) ctx.log[level](level, { more: 1 })
          ctx.log.info('settings', ctx.config as { port: number })
          ctx.log.info(await ctx.call(hello, ctx.use(A) as string))
        }),
        config: { port: 80 },
        firstParty: true,
      },
    ])
    await kernel.start()
    const fields = { plugin: 'two', more: 1 }
    const own = kernel.log.entries.filter(
      ({ fields, message }) => fields.plugin === 'two' && !message.includes('started'),
    )
    expect(own).toEqual([
      { level: 'debug', message: 'debug', fields },
      { level: 'info', message: 'info', fields },
      { level: 'warn', message: 'warn', fields },
      { level: 'error', message: 'error', fields },
      { level: 'info', message: 'settings', fields: { plugin: 'two', port: 80 } },
      { level: 'info', message: "one's a, one", fields: { plugin: 'two' } },
    ])
    await kernel.stop()
  })

  test('holds the plugin to its manifest', async () => {
    const kernel = create([
      plugin('x', { provides: [A] }, (ctx) => {
        expect(codeOf(() => ctx.use(B))).toBe('SERVICE_UNDECLARED x')
        expect(codeOf(() => ctx.use(A))).toBe('SERVICE_UNDECLARED x')
        expect(codeOf(() => ctx.provide(B, 'b' as never))).toBe('SERVICE_UNDECLARED x')
        expect(codeOf(() => ctx.provide(A, 'again' as never))).toBe('SERVICE_DUPLICATE x')
      }),
    ])
    await kernel.start()
    await kernel.stop()
  })

  test('has to be given every service that was promised', async () => {
    const forgetful = definePlugin({ name: 'f', version: '1.0.0', kernel: '^1', provides: [A], setup() {} })
    const error = await failure(create([forgetful]).start())
    expect(error.cause).toMatchObject({ code: 'SERVICE_NOT_PROVIDED', plugin: 'f' })
  })

  test('after setup takes hooks and cleanups only, and nothing after the stop', async () => {
    let ctx = {} as PluginContext
    const kernel = create([plugin('x', { provides: [A], optional: [B] }, (given) => (ctx = given))])
    await kernel.start()
    expect(codeOf(() => ctx.ready(() => {}))).toBe('PLUGIN_SETUP_OVER x')
    expect(codeOf(() => ctx.provide(A, 'a' as never))).toBe('PLUGIN_SETUP_OVER x')
    const seen: string[] = []
    ctx.on(tick, (list) => void list.push('x'))
    ctx.defer(() => seen.push('cleanup'))
    await kernel.call(tick, seen)
    await kernel.stop()
    await kernel.call(tick, seen)
    expect(seen).toEqual(['x', 'cleanup'])
    expect(codeOf(() => ctx.use(B))).toBe('PLUGIN_STOPPED x')
    expect(codeOf(() => ctx.provide(A, 'a' as never))).toBe('PLUGIN_STOPPED x')
    expect(codeOf(() => ctx.on(tick, () => {}))).toBe('PLUGIN_STOPPED x')
    expect(codeOf(() => ctx.ready(() => {}))).toBe('PLUGIN_STOPPED x')
  })
})

describe('the composition root', () => {
  test('uses services while they are there', async () => {
    const kernel = create([plugin('one', { provides: [A] })])
    expect(() => kernel.use(A)).toThrow('No plugin that has started provides service "a"')
    await kernel.start()
    expect(kernel.use(A)).toBe("one's a")
    await kernel.stop()
    expect(() => kernel.use(A)).toThrow(KernelError)
  })

  test('sees every handler call', async () => {
    const kernel = create([plugin('one', {}, (ctx) => ctx.on(tick, () => {}))])
    await kernel.start()
    const observer = vi.fn()
    const stop = kernel.onHookCall(observer)
    await kernel.call(tick, [])
    stop()
    await kernel.call(tick, [])
    expect(observer.mock.calls).toEqual([[{ hook: 'tick', plugin: 'one', ms: expect.any(Number) }]])
    await kernel.stop()
  })

  test('may be of another version', async () => {
    const kernel = create([plugin('one', { kernel: '^4' })], { version: '4.5.6' })
    await kernel.start()
    expect(kernel.version).toBe('4.5.6')
    await kernel.stop()
  })
})

describe('whatever third-party plugins do', () => {
  const fates = ['starts', 'throws in setup', 'throws in ready', 'throws in cleanup'] as const
  const plugins = fc.array(
    fc.record({ fate: fc.constantFrom(...fates), requires: fc.array(fc.nat(9), { maxLength: 3 }) }),
    {
      maxLength: 10,
    },
  )

  test('what starts is stopped once and in reverse, and nothing runs without what it requires', async () => {
    await fc.assert(
      fc.asyncProperty(plugins, async (shapes) => {
        const token = (index: number) => defineService<string>(`service ${index}`)
        const up: string[] = []
        const down: string[] = []
        const entries = shapes.map(({ fate, requires }, index) => ({
          plugin: plugin(`${index}`, { provides: [token(index)], requires: requires.map(token) }, (ctx) => {
            for (const each of requires) expect(ctx.use(token(each))).toBe(`${each}'s service ${each}`)
            up.push(`${index}`)
            if (fate === 'throws in cleanup') ctx.defer(throwing('cleanup'))
            ctx.defer(() => down.push(`${index}`))
            if (fate === 'throws in setup') throw fate
            if (fate === 'throws in ready') ctx.ready(throwing(fate))
          }),
        }))
        const kernel = create(entries)
        await kernel.start()
        const left = new Set(
          kernel.report().flatMap(({ name, state }) => (state === 'started' ? [name] : [])),
        )
        for (const [index, { fate, requires }] of shapes.entries()) {
          const fit =
            (fate === 'starts' || fate === 'throws in cleanup') &&
            requires.every((each) => left.has(`${each}`))
          if (left.has(`${index}`)) expect(fit).toBe(true)
        }
        expect(new Set(down)).toEqual(new Set(up.filter((name) => !left.has(name))))
        const before = down.length
        await kernel.stop().catch((error) => expect(error).toBeInstanceOf(AggregateError))
        expect(down.slice(before)).toEqual(up.filter((name) => left.has(name)).reverse())
        expect(down.toSorted()).toEqual(up.toSorted())
      }),
      { numRuns: 300 },
    )
  })
})
