/**
 * For tests of plugins: one plugin in a kernel of its own, with fakes for the services it uses.
 *
 * @module
 * @example
 * const { provided, stop } = await setupPlugin(greeter, { services: [[Clock, { hour: () => 9 }]] })
 * expect(provided(Greeter).greet('Ada')).toBe('Good morning, Ada')
 * await stop()
 */
import type { CallHook, OnHook } from './hook.ts'
import { createKernel } from './kernel.ts'
import type { Logger } from './log.ts'
import { definePlugin, type Plugin } from './plugin.ts'
import type { AnyService, ServiceToken } from './service.ts'
import { kernelVersion } from './version.ts'

export interface MemoryLogger extends Logger {
  readonly entries: { level: keyof Logger; message: string; fields: Record<string, unknown> }[]
}

/** A log that keeps its lines. */
export function memoryLogger(): MemoryLogger {
  const entries: MemoryLogger['entries'] = []
  const keep =
    (level: keyof Logger) =>
    (message: string, fields: Record<string, unknown> = {}) => {
      entries.push({ level, message, fields })
    }
  return { entries, debug: keep('debug'), info: keep('info'), warn: keep('warn'), error: keep('error') }
}

/** A service and its stand-in; a stand-in may leave out what the test does not need. */
export type FakeService = readonly [token: AnyService, implementation: unknown]

/** Pairs a token with a stand-in for it, checked by the compiler as far as it goes. */
export function fake<T>(token: ServiceToken<T>, implementation: Partial<NoInfer<T>>): FakeService {
  return [token, implementation]
}

export interface SetupOptions {
  config?: unknown
  services?: readonly FakeService[]
  /** A memory log unless given. */
  log?: Logger
}

export interface PluginUnderTest {
  /** Names of the hooks the plugin took part in so far, in order. */
  readonly hooks: readonly string[]
  /** A service the plugin provides, or one of the fakes. */
  provided<T>(token: ServiceToken<T>): T
  readonly call: CallHook
  /** Takes part in a hook, as the plugin `test` would. */
  readonly on: OnHook
  stop(): Promise<void>
}

/**
 * Starts one plugin, up to and with what it gave to `ready`, and leaves it running until `stop`.
 *
 * @throws KernelError as the start of a kernel does: a fake for every required service is due.
 */
export async function setupPlugin(plugin: Plugin, options: SetupOptions = {}): Promise<PluginUnderTest> {
  const { config, services = [], log = memoryLogger() } = options
  const hooks: string[] = []
  let on: OnHook | undefined
  const fakes = definePlugin({
    name: 'test',
    version: '1.0.0',
    kernel: kernelVersion,
    provides: services.map(([token]) => token),
    setup(ctx) {
      for (const [token, implementation] of services) ctx.provide(token, implementation as never)
      on = ctx.on
    },
  })
  const watched: Plugin = {
    ...plugin,
    setup(ctx) {
      const watch: OnHook = (hook, handler, order) => {
        ctx.on(hook, handler, order)
        hooks.push(hook.name)
      }
      return plugin.setup({ ...ctx, on: watch })
    },
  }
  const kernel = createKernel({
    log,
    plugins: [
      { plugin: fakes, firstParty: true },
      { plugin: watched, config, firstParty: true },
    ],
  })
  await kernel.start()
  return { hooks, provided: kernel.use, call: kernel.call, on: on as OnHook, stop: kernel.stop }
}
