/**
 * The kernel: starts plugins in the order of their dependencies and stops them in reverse.
 *
 * @module
 * @example
 * const kernel = createKernel({ log, plugins: [{ plugin: http, config: { port: 80 }, firstParty: true }] })
 * await kernel.start()
 * process.once('SIGTERM', () => kernel.stop())
 */
import { validateConfig } from './config.ts'
import { createSetup, type Setup } from './context.ts'
import { describeError, KernelError } from './errors.ts'
import { arrange } from './graph.ts'
import type { CallHook } from './hook.ts'
import type { Logger } from './log.ts'
import { assertPlugin, type Plugin } from './plugin.ts'
import { type HookCall, HookRegistry } from './registry.ts'
import { Scope, within } from './scope.ts'
import type { ServiceToken } from './service.ts'
import { assertCompatible, kernelVersion } from './version.ts'

export interface PluginEntry {
  plugin: Plugin
  /** The settings as they stand in the configuration, still unchecked. */
  config?: unknown
  /** A first-party plugin that does not start is fatal; any other is disabled with its dependents. */
  firstParty?: boolean
}

export interface KernelOptions {
  /** The version that the range of a plugin has to admit; that of this package unless told. */
  version?: string
  log: Logger
  /** Started in this order, as far as dependencies allow. */
  plugins: readonly PluginEntry[]
}

/** `stopped` also before the start. `failed` is a first-party, `disabled` a third-party plugin. */
export type PluginState = 'started' | 'disabled' | 'failed' | 'stopped'

export interface PluginReport {
  name: string
  version: string
  state: PluginState
  /** Names of services. */
  provides: string[]
  requires: string[]
  /** How long `setup` took, in milliseconds; 0 where it has not ended. */
  startMs: number
  /** Why it is disabled, or failed. */
  reason?: string
}

export interface Kernel {
  readonly version: string
  /**
   * Starts every plugin, then calls what they gave to `ready`. May be called once.
   *
   * @throws KernelError where a first-party plugin cannot start; whatever had started is stopped again by then.
   */
  start(): Promise<void>
  /**
   * Stops every plugin in reverse order, after a start under way has come to its end. May be called again.
   *
   * @throws AggregateError of `PLUGIN_STOP_FAILED` and `PLUGIN_STOP_TIMEOUT`, after every cleanup was begun.
   */
  stop(): Promise<void>
  /** A service, for the composition root. Throws `SERVICE_NOT_PROVIDED`. */
  use<T>(token: ServiceToken<T>): T
  readonly call: CallHook
  /** `observer` hears of every handler call, until what is returned is called. */
  onHookCall(observer: (call: HookCall) => void): () => void
  /** In the order the plugins were given. */
  report(): PluginReport[]
}

interface Member {
  readonly plugin: Plugin
  readonly firstParty: boolean
  readonly rawConfig: unknown
  readonly scope: Scope
  /** What went wrong in cleanups. */
  readonly errors: KernelError[]
  config: unknown
  state: PluginState
  startMs: number
  reason?: string
  openings: Setup['openings']
}

export function createKernel({ version = kernelVersion, log, plugins }: KernelOptions): Kernel {
  const hooks = new HookRegistry(log)
  const services = new Map<string, unknown>()
  const members = plugins.map(createMember)
  const started: Member[] = []
  let starting: Promise<void> | undefined
  let stopping: Promise<void> | undefined

  function createMember({ plugin, config, firstParty = false }: PluginEntry): Member {
    assertPlugin(plugin, 'One of the plugins given to createKernel')
    const { name } = plugin
    const errors: KernelError[] = []
    const scope = new Scope((cause) => {
      const message = `Plugin "${name}" failed to stop: ${describeError(cause)}`
      const error =
        cause instanceof KernelError && cause.code === 'PLUGIN_STOP_TIMEOUT'
          ? cause
          : new KernelError('PLUGIN_STOP_FAILED', message, { plugin: name, cause })
      log.error(error.message, { plugin: name, error })
      errors.push(error)
    })
    return {
      plugin,
      firstParty,
      rawConfig: config,
      scope,
      errors,
      config,
      state: 'stopped',
      startMs: 0,
      openings: [],
    }
  }

  /** Rules a plugin out: fatal for a first-party one, said in the log for any other. */
  function refuse(member: Member, error: KernelError): void {
    member.state = member.firstParty ? 'failed' : 'disabled'
    member.reason = error.message
    if (member.firstParty) throw error
    log.warn(`Plugin "${member.plugin.name}" is disabled. ${error.message}`, {
      plugin: member.plugin.name,
      error,
    })
  }

  /** What can be told of a plugin before anything starts: its range of the kernel, its settings. */
  async function vet(): Promise<Member[]> {
    const fit: Member[] = []
    for (const member of members) {
      try {
        assertCompatible(member.plugin, version)
        member.config = await validateConfig(member.plugin, member.rawConfig)
        fit.push(member)
      } catch (error) {
        refuse(member, error as KernelError)
      }
    }
    return fit
  }

  /** Runs a part of the start in the time the plugin has, and blames the plugin for what goes wrong. */
  async function attempt({ plugin }: Member, work: () => Promise<void>): Promise<void> {
    const { name, startTimeoutMs: ms } = plugin
    const late = `Plugin "${name}" did not start in ${ms} ms`
    const expired = new KernelError('PLUGIN_START_TIMEOUT', late, { plugin: name })
    try {
      await within(ms, work, expired)
    } catch (cause) {
      if (cause === expired) throw expired
      const message = `Plugin "${name}" failed to start: ${describeError(cause)}`
      throw new KernelError('PLUGIN_START_FAILED', message, { plugin: name, cause })
    }
  }

  async function setUp(member: Member): Promise<void> {
    const { plugin, config, scope } = member
    const { ctx, openings, finish } = createSetup(plugin, config, scope, { log, hooks, services })
    const begun = performance.now()
    await attempt(member, async () => {
      await plugin.setup(ctx)
      finish()
    })
    member.startMs = performance.now() - begun
    member.openings = openings
    member.state = 'started'
    log.debug(`Plugin "${plugin.name}" started`, { plugin: plugin.name, ms: member.startMs })
  }

  async function tearDown(member: Member): Promise<void> {
    const { name, stopTimeoutMs: ms } = member.plugin
    const late = `Plugin "${name}" did not stop in ${ms} ms; what was left of its cleanups was begun without waiting`
    await member.scope.close(ms, new KernelError('PLUGIN_STOP_TIMEOUT', late, { plugin: name }))
    if (member.state === 'started') member.state = 'stopped'
  }

  /** Stops those that `which` picks, the last started first. */
  async function tearDownWhere(which: (member: Member) => boolean): Promise<void> {
    for (const member of started.filter(which).reverse()) {
      started.splice(started.indexOf(member), 1)
      await tearDown(member)
    }
  }

  async function startAll(): Promise<void> {
    let order = arrange(await vet(), refuse)

    /** Lets go of a plugin that failed, with its dependents, and stops those of them that run. */
    async function drop(failed: Member, error: KernelError): Promise<void> {
      refuse(failed, error)
      order = arrange(
        order.filter((member) => member !== failed),
        refuse,
      )
      await tearDownWhere((member) => !order.includes(member))
    }

    async function forEachInOrder(step: (member: Member) => Promise<void>): Promise<void> {
      const done = new Set<Member>()
      for (;;) {
        const next = order.find((member) => !done.has(member))
        if (next === undefined) return
        if (stopping) throw new KernelError('KERNEL_STATE', 'The kernel was stopped while it started')
        done.add(next)
        try {
          await step(next)
        } catch (error) {
          await drop(next, error as KernelError)
        }
      }
    }

    await forEachInOrder((member) => {
      started.push(member)
      return setUp(member)
    })
    await forEachInOrder((member) =>
      attempt(member, async () => {
        for (const open of member.openings) await open()
      }),
    )
  }

  async function start(): Promise<void> {
    if (starting || stopping)
      throw new KernelError('KERNEL_STATE', 'A kernel starts once. Create another one.')
    starting = startAll().catch(async (error) => {
      await tearDownWhere(() => true)
      throw error
    })
    return starting
  }

  async function stopAll(): Promise<void> {
    await Promise.allSettled([starting])
    await tearDownWhere(() => true)
    const errors = members.flatMap((member) => member.errors)
    if (errors.length > 0) throw new AggregateError(errors, errors.map(describeError).join('; '))
  }

  function stop(): Promise<void> {
    stopping ??= stopAll()
    return stopping
  }

  function use<T>(token: ServiceToken<T>): T {
    if (!services.has(token.name)) {
      throw new KernelError(
        'SERVICE_NOT_PROVIDED',
        `No plugin that has started provides service "${token.name}"`,
      )
    }
    return services.get(token.name) as T
  }

  function report(): PluginReport[] {
    return members.map(({ plugin: { name, version, provides, requires }, state, startMs, reason }) => ({
      name,
      version,
      state,
      provides: provides.map((token) => token.name),
      requires: requires.map((token) => token.name),
      startMs,
      ...(reason !== undefined && { reason }),
    }))
  }

  return {
    version,
    start,
    stop,
    use,
    call: hooks.call,
    onHookCall: (observer) => hooks.observe(observer),
    report,
  }
}
