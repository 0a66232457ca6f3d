import { type ErrorCode, KernelError } from './errors.ts'
import type { AnyHook, HookOptions } from './hook.ts'
import { type Logger, scopeLogger } from './log.ts'
import type { Plugin, PluginContext } from './plugin.ts'
import type { HookRegistry } from './registry.ts'
import type { Scope } from './scope.ts'
import type { AnyService } from './service.ts'

/** What the plugins of one kernel share; implementations are found by the name of the service. */
export interface Shared {
  readonly log: Logger
  readonly hooks: HookRegistry
  readonly services: Map<string, unknown>
}

/** The context a plugin is given, which holds it to its manifest; and for the kernel, what came of its setup. */
export interface Setup {
  readonly ctx: PluginContext
  /** What to call when every plugin has started, in the order given. */
  readonly openings: readonly (() => unknown)[]
  /** Ends the part that belongs in setup. Throws `SERVICE_NOT_PROVIDED` where a promised service is not there. */
  finish(): void
}

export function createSetup(
  plugin: Plugin,
  config: unknown,
  scope: Scope,
  { log, hooks, services }: Shared,
): Setup {
  const openings: (() => unknown)[] = []
  let over = false
  const has = (tokens: readonly AnyService[], { name }: AnyService) =>
    tokens.some((token) => token.name === name)
  const refuseIf = (refused: boolean, code: ErrorCode, what: string) => {
    if (refused) throw new KernelError(code, `Plugin "${plugin.name}" ${what}`, { plugin: plugin.name })
  }
  const requireOpen = (what: string) =>
    refuseIf(scope.closed, 'PLUGIN_STOPPED', `${what} after it has stopped`)
  const requireSetup = (what: string) => {
    requireOpen(what)
    refuseIf(over, 'PLUGIN_SETUP_OVER', `${what} after its setup has ended. Do it within setup.`)
  }

  const ctx = {
    config,
    log: scopeLogger(log, { plugin: plugin.name }),
    signal: scope.signal,
    call: hooks.call,
    use(token: AnyService) {
      const what = `uses service "${token.name}"`
      requireOpen(what)
      const declared = has([...plugin.requires, ...plugin.optional], token)
      refuseIf(!declared, 'SERVICE_UNDECLARED', `${what}. Add its token to "requires" or "optional".`)
      return services.get(token.name)
    },
    provide(token: AnyService, implementation: unknown) {
      const what = `provides service "${token.name}"`
      requireSetup(what)
      refuseIf(!has(plugin.provides, token), 'SERVICE_UNDECLARED', `${what}. Add its token to "provides".`)
      refuseIf(services.has(token.name), 'SERVICE_DUPLICATE', `${what} twice`)
      services.set(token.name, implementation)
      scope.defer(() => services.delete(token.name))
    },
    on(hook: AnyHook, handler: (...args: unknown[]) => unknown, options?: HookOptions) {
      requireOpen(`takes part in hook "${hook.name}"`)
      scope.defer(hooks.add(hook, plugin.name, handler, options))
    },
    defer: (cleanup: () => unknown) => scope.defer(cleanup),
    ready(open: () => unknown) {
      requireSetup('calls ready')
      openings.push(open)
    },
  }

  const finish = () => {
    over = true
    const absent = plugin.provides.filter(({ name }) => !services.has(name)).map(({ name }) => `"${name}"`)
    refuseIf(
      absent.length > 0,
      'SERVICE_NOT_PROVIDED',
      `ended its setup without providing ${absent.join(', ')}`,
    )
  }
  return { ctx: Object.freeze(ctx) as PluginContext, openings, finish }
}
