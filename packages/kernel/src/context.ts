/**
 * What a plugin is given of the kernel, and held to what its manifest declares.
 *
 * @module
 */
import { type ErrorCode, KernelError } from './errors.ts'
import type { AnyHook, HookOptions } from './hook.ts'
import { type Logger, scopeLogger } from './log.ts'
import type { Plugin, PluginContext } from './plugin.ts'
import type { HookRegistry } from './registry.ts'
import type { Scope } from './scope.ts'
import type { AnyService } from './service.ts'

/** What the plugins of one kernel share. */
export interface Shared {
  readonly log: Logger
  readonly hooks: HookRegistry
  /** Implementations by the name of the service. */
  readonly services: Map<string, unknown>
}

/** One setup of one plugin: the context for the plugin, and the rest for the kernel. */
export interface Setup {
  readonly ctx: PluginContext
  /** What to call when every plugin has started, in the order given. */
  readonly openings: readonly (() => unknown)[]
  /** Ends the part that belongs in setup. Throws `SERVICE_NOT_PROVIDED` where a promised service is not there. */
  finish(): void
}

export function createSetup(plugin: Plugin, config: unknown, scope: Scope, shared: Shared): Setup {
  const { hooks, services } = shared
  const openings: (() => unknown)[] = []
  let over = false

  const has = (tokens: readonly AnyService[], { name }: AnyService) =>
    tokens.some((token) => token.name === name)
  const fail = (code: ErrorCode, what: string): never => {
    throw new KernelError(code, `Plugin "${plugin.name}" ${what}`, { plugin: plugin.name })
  }
  const requireOpen = (what: string) => scope.closed && fail('PLUGIN_STOPPED', `${what} after it has stopped`)
  const requireSetup = (what: string) => {
    requireOpen(what)
    if (over) fail('PLUGIN_SETUP_OVER', `${what} after its setup has ended. Do it within setup.`)
  }

  const use = (token: AnyService) => {
    requireOpen(`uses service "${token.name}"`)
    if (!has(plugin.requires, token) && !has(plugin.optional, token)) {
      fail('SERVICE_UNDECLARED', `uses service "${token.name}". Add its token to "requires" or "optional".`)
    }
    return services.get(token.name)
  }

  const provide = (token: AnyService, implementation: unknown) => {
    const { name } = token
    requireSetup(`provides service "${name}"`)
    if (!has(plugin.provides, token)) {
      fail('SERVICE_UNDECLARED', `provides service "${name}". Add its token to "provides".`)
    }
    if (services.has(name)) fail('SERVICE_DUPLICATE', `provides service "${name}" twice`)
    services.set(name, implementation)
    scope.defer(() => services.delete(name))
  }

  const on = (hook: AnyHook, handler: (...args: unknown[]) => unknown, options?: HookOptions) => {
    requireOpen(`takes part in hook "${hook.name}"`)
    scope.defer(hooks.add(hook, plugin.name, handler, options))
  }

  const ctx = {
    config,
    log: scopeLogger(shared.log, { plugin: plugin.name }),
    signal: scope.signal,
    use,
    provide,
    on,
    call: hooks.call,
    defer: (cleanup: () => unknown) => scope.defer(cleanup),
    ready: (open: () => unknown) => {
      requireSetup('calls ready')
      openings.push(open)
    },
  }

  const finish = () => {
    over = true
    const absent = plugin.provides.find(({ name }) => !services.has(name))
    if (absent) fail('SERVICE_NOT_PROVIDED', `ended its setup without providing service "${absent.name}"`)
  }

  return { ctx: Object.freeze(ctx) as PluginContext, openings, finish }
}
