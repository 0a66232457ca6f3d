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
    (message: string, fields: Record<string, unknown> = {}) =>
      void entries.push({ level, message, fields })
  return { entries, debug: keep('debug'), info: keep('info'), warn: keep('warn'), error: keep('error') }
}

/** A service and its stand-in. */
export type FakeService = readonly [token: AnyService, implementation: unknown]

/** Pairs a token with a stand-in that may leave out what the test does not need; the compiler checks the rest. */
export const fake = <T>(token: ServiceToken<T>, implementation: Partial<NoInfer<T>>): FakeService => [
  token,
  implementation,
]

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
  /** Takes part in a hook, as a plugin called `test`. */
  readonly on: OnHook
  stop(): Promise<void>
}

/**
 * Starts one plugin in a kernel of its own, with fakes for the services it uses, and leaves it running until `stop`.
 *
 * @throws KernelError as the start of a kernel does: a fake for every required service is due.
 * @example
 * const { provided, stop } = await setupPlugin(greeter, { services: [[Clock, { hour: () => 9 }]] })
 * expect(provided(Greeter).greet('Ada')).toBe('Good morning, Ada')
 * await stop()
 */
export async function setupPlugin(plugin: Plugin, options: SetupOptions = {}): Promise<PluginUnderTest> {
  const { config, services = [], log = memoryLogger() } = options
  const hooks: string[] = []
  let on: OnHook | undefined
  const provides = services.map(([token]) => token)
  const fakes = definePlugin({
    name: 'test',
    version: '1.0.0',
    kernel: kernelVersion,
    provides,
    setup(ctx) {
      on = ctx.on
      for (const [token, implementation] of services) ctx.provide(token, implementation as never)
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
  const entries = [{ plugin: fakes }, { plugin: watched, config }]
  const kernel = createKernel({ log, plugins: entries.map((entry) => ({ ...entry, firstParty: true })) })
  await kernel.start()
  return { hooks, provided: kernel.use, call: kernel.call, on: on as unknown as OnHook, stop: kernel.stop }
}
