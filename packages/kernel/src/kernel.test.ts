import { afterEach, describe, expect, test, vi } from 'vitest'
import { A, B, create, failure, plugin, type Shape, states, throwing, tick } from '../test/plugins.ts'
import type { KernelError } from './errors.ts'
import type { Plugin, PluginContext } from './plugin.ts'

afterEach(() => vi.useRealTimers())

describe('start and stop', () => {
  test('are in the order of dependencies and in reverse, with ready in between', async () => {
    const seen: string[] = []
    const chatty = (name: string, shape?: Shape) =>
      plugin(name, shape, (ctx) => {
        seen.push(`${name} up`)
        ctx.ready(() => seen.push(`${name} ready`))
        ctx.defer(() => seen.push(`${name} down, ${ctx.signal.aborted}`))
      })
    const kernel = create([chatty('two', { requires: [A] }), chatty('one', { provides: [A] })])
    expect(states(kernel)).toEqual({ one: 'stopped', two: 'stopped' })
    await kernel.start()
    expect(states(kernel)).toEqual({ one: 'started', two: 'started' })
    await kernel.stop()
    expect(states(kernel)).toEqual({ one: 'stopped', two: 'stopped' })
    expect(seen).toEqual(['one up', 'two up', 'one ready', 'two ready', 'two down, true', 'one down, true'])
  })

  test('report what there is', async () => {
    const kernel = create([plugin('one', { provides: [A], requires: [] }), plugin('two', { requires: [A] })])
    await kernel.start()
    expect(kernel.report()).toEqual([
      {
        name: 'one',
        version: '1.2.3',
        state: 'started',
        provides: ['a'],
        requires: [],
        startMs: expect.any(Number),
      },
      {
        name: 'two',
        version: '1.2.3',
        state: 'started',
        provides: [],
        requires: ['a'],
        startMs: expect.any(Number),
      },
    ])
    expect(kernel.log.entries.map(({ level, message }) => [level, message])).toEqual([
      ['debug', 'Plugin "one" started'],
      ['debug', 'Plugin "two" started'],
    ])
    await kernel.stop()
  })

  test('happen once', async () => {
    const kernel = create([])
    await kernel.start()
    expect(await failure(kernel.start())).toMatchObject({ code: 'KERNEL_STATE' })
    await Promise.all([kernel.stop(), kernel.stop()])
    expect(
      await failure(
        create([])
          .stop()
          .then(() => kernel.start()),
      ),
    ).toMatchObject({ code: 'KERNEL_STATE' })
  })

  test('stop before start is no failure, start after it is one', async () => {
    const kernel = create([])
    await kernel.stop()
    expect(await failure(kernel.start())).toMatchObject({ code: 'KERNEL_STATE' })
  })

  test('stop during start waits for the plugin at hand and starts no other', async () => {
    const begun = Promise.withResolvers<void>()
    const gate = Promise.withResolvers<void>()
    const seen: string[] = []
    const kernel = create([
      plugin('one', {}, async (ctx) => {
        ctx.defer(() => seen.push('one down'))
        begun.resolve()
        await gate.promise
      }),
      plugin('two', {}, () => seen.push('two up')),
    ])
    const starting = failure(kernel.start())
    await begun.promise
    const stopping = kernel.stop()
    gate.resolve()
    expect(await starting).toMatchObject({
      code: 'KERNEL_STATE',
      message: 'The kernel was stopped while it started',
    })
    await stopping
    expect(seen).toEqual(['one down'])
    expect(states(kernel)).toEqual({ one: 'stopped', two: 'stopped' })
  })

  test('failing cleanups are collected and keep nothing from running', async () => {
    const seen: string[] = []
    const kernel = create([
      plugin('one', {}, (ctx) => {
        ctx.defer(() => seen.push('one'))
        ctx.defer(throwing('first'))
      }),
      plugin('two', {}, (ctx) => ctx.defer(() => Promise.reject('second'))),
    ])
    await kernel.start()
    const error = await failure(kernel.stop())
    expect(error).toBeInstanceOf(AggregateError)
    expect(error.errors.map(({ code, plugin, cause }: KernelError) => [code, plugin, cause])).toEqual([
      ['PLUGIN_STOP_FAILED', 'one', 'first'],
      ['PLUGIN_STOP_FAILED', 'two', 'second'],
    ])
    expect(error.message).toContain('Plugin "two" failed to stop: second')
    expect(seen).toEqual(['one'])
    expect(kernel.log.entries.filter(({ level }) => level === 'error')).toHaveLength(2)
  })

  test('a plugin that does not stop in its time is left behind', async () => {
    vi.useFakeTimers()
    const seen: string[] = []
    const kernel = create([
      plugin('one', {}, (ctx) => ctx.defer(() => seen.push('one'))),
      plugin('two', { stopTimeoutMs: 50 }, (ctx) => ctx.defer(() => new Promise(() => {}))),
    ])
    await kernel.start()
    const stopping = failure(kernel.stop())
    await vi.advanceTimersByTimeAsync(50)
    const error = await stopping
    expect(error.errors).toEqual([expect.objectContaining({ code: 'PLUGIN_STOP_TIMEOUT', plugin: 'two' })])
    expect(seen).toEqual(['one'])
  })
})

describe('a first-party plugin that does not start', () => {
  test('is fatal, and what had started is stopped in reverse', async () => {
    const seen: string[] = []
    const thrown = new Error('boom')
    const kernel = create([
      plugin('one', {}, (ctx) => ctx.defer(() => seen.push('one'))),
      plugin('two', {}, (ctx) => {
        ctx.defer(() => seen.push('two, half way'))
        throw thrown
      }),
      plugin('three', {}, () => seen.push('three')),
    ])
    const error = await failure(kernel.start())
    expect(error).toMatchObject({ code: 'PLUGIN_START_FAILED', plugin: 'two' })
    expect(error.message).toBe('Plugin "two" failed to start: boom')
    expect(error.cause).toBe(thrown)
    expect(seen).toEqual(['two, half way', 'one'])
    expect(states(kernel)).toEqual({ one: 'stopped', two: 'failed', three: 'stopped' })
    expect(kernel.report()[1]?.reason).toBe(error.message)
    await kernel.stop()
  })

  test.each([
    ['requires what nobody provides', plugin('x', { requires: [B] }), 'SERVICE_MISSING'],
    ['requires itself', plugin('x', { requires: [A], provides: [A] }), 'DEPENDENCY_CYCLE'],
    ['is for another kernel', plugin('x', { kernel: '^2' }), 'PLUGIN_INCOMPATIBLE'],
    ['has a senseless range', plugin('x', { kernel: 'newest' }), 'PLUGIN_INVALID'],
    ['has wrong settings', { plugin: plugin('x'), config: { port: 1 }, firstParty: true }, 'CONFIG_INVALID'],
  ])('%s', async (_, entry, code) => {
    const started = vi.fn()
    const kernel = create([plugin('one', {}, started), entry])
    expect(await failure(kernel.start())).toMatchObject({
      code,
      plugin: code === 'PLUGIN_INVALID' ? undefined : 'x',
    })
    expect(started).not.toHaveBeenCalled()
  })

  test('because it takes too long', async () => {
    vi.useFakeTimers()
    const gate = Promise.withResolvers<void>()
    const cleanup = vi.fn()
    let context: PluginContext | undefined
    const kernel = create([
      plugin('slow', { startTimeoutMs: 100 }, async (ctx) => {
        context = ctx
        await gate.promise
        ctx.defer(cleanup)
        ctx.on(tick, () => {})
      }),
    ])
    const starting = failure(kernel.start())
    await vi.advanceTimersByTimeAsync(100)
    expect(await starting).toMatchObject({ code: 'PLUGIN_START_TIMEOUT', plugin: 'slow' })
    expect(context?.signal.aborted).toBe(true)
    gate.resolve()
    await vi.waitFor(() => expect(cleanup).toHaveBeenCalledOnce())
  })

  test('because it is not a plugin at all', () => {
    expect(() => create([{ plugin: {} as Plugin }])).toThrow(
      'One of the plugins given to createKernel is not a plugin.',
    )
  })
})

describe('a third-party plugin that does not start', () => {
  test('is disabled with its dependents, and this is said', async () => {
    const kernel = create([
      { plugin: plugin('bad', { provides: [A] }, throwing(new Error('boom'))) },
      { plugin: plugin('dependent', { requires: [A], provides: [B] }) },
      plugin('good', { optional: [A, B] }, (ctx) => expect(ctx.use(A)).toBeUndefined()),
    ])
    await kernel.start()
    expect(states(kernel)).toEqual({ bad: 'disabled', dependent: 'disabled', good: 'started' })
    expect(kernel.report().map(({ reason }) => reason)).toEqual([
      'Plugin "bad" failed to start: boom',
      expect.stringContaining('Plugin "dependent" requires what no enabled plugin provides: "a"'),
      undefined,
    ])
    const warnings = kernel.log.entries.filter(({ level }) => level === 'warn')
    expect(warnings.map(({ message }) => message)).toEqual([
      'Plugin "bad" is disabled. Plugin "bad" failed to start: boom',
      expect.stringContaining('Plugin "dependent" is disabled.'),
    ])
    await kernel.stop()
  })

  test('is fatal where a first-party plugin requires it', async () => {
    const kernel = create([
      { plugin: plugin('bad', { kernel: '^7', provides: [A] }) },
      plugin('good', { requires: [A] }),
    ])
    expect(await failure(kernel.start())).toMatchObject({ code: 'SERVICE_MISSING', plugin: 'good' })
    expect(states(kernel)).toEqual({ bad: 'disabled', good: 'failed' })
  })

  test('is stopped with its dependents where it fails when opening', async () => {
    const seen: string[] = []
    const kernel = create([
      plugin('good', {}, (ctx) => ctx.ready(() => seen.push('good open'))),
      {
        plugin: plugin('bad', { provides: [A] }, (ctx) => {
          ctx.on(tick, () => void seen.push('tick'))
          ctx.defer(() => seen.push('bad down'))
          ctx.ready(throwing('port taken'))
        }),
      },
      {
        plugin: plugin('dependent', { requires: [A] }, (ctx) => {
          ctx.defer(() => seen.push(`dependent down, ${ctx.use(A)}`))
          ctx.ready(() => seen.push('dependent open'))
        }),
      },
      plugin('last', {}, (ctx) => ctx.ready(() => seen.push('last open'))),
    ])
    await kernel.start()
    await kernel.call(tick, [])
    expect(seen).toEqual(['good open', "dependent down, bad's a", 'bad down', 'last open'])
    expect(states(kernel)).toEqual({
      good: 'started',
      bad: 'disabled',
      dependent: 'disabled',
      last: 'started',
    })
    await kernel.stop()
  })
})
