import { validateConfig } from './config.ts'
import { createSetup, type Setup } from './context.ts'
import { describeError, type ErrorCode, KernelError } from './errors.ts'
import { arrange, type Candidate } from './graph.ts'
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

/** A plugin in this kernel, and what became of it. */
interface Member extends Candidate {
  readonly settings: unknown
  readonly scope: Scope
  /** What went wrong when it stopped. */
  readonly failures: KernelError[]
  fail(error: KernelError): void
  config?: unknown
  openings: Setup['openings']
  state: PluginState
  startMs: number
  reason?: string
}

const blame = (code: ErrorCode, { name }: Plugin, what: string, cause?: unknown) =>
  new KernelError(code, `Plugin "${name}" ${what}`, { plugin: name, cause })

const stateError = (what: string) => new KernelError('KERNEL_STATE', what)

/**
 * A kernel that starts plugins in the order of their dependencies, and stops them in reverse.
 *
 * @example
 * const kernel = createKernel({ log, plugins: [{ plugin: http, config: { port: 80 }, firstParty: true }] })
 * process.once('SIGTERM', () => kernel.stop())
 * await kernel.start()
 */
export function createKernel({ version = kernelVersion, log, plugins }: KernelOptions): Kernel {
  const hooks = new HookRegistry(log)
  const services = new Map<string, unknown>()
  const members = plugins.map(createMember)
  /** In the order of their start, with the one that is starting. */
  const running = new Set<Member>()
  let starting: Promise<void> | undefined
  let stopping: Promise<void> | undefined

  function createMember({ plugin, config: settings, firstParty = false }: PluginEntry): Member {
    assertPlugin(plugin, 'One of the plugins given to createKernel')
    const failures: KernelError[] = []
    const fail = (error: KernelError) => {
      log.error(error.message, { plugin: plugin.name, error })
      failures.push(error)
    }
    const scope = new Scope((cause) =>
      fail(blame('PLUGIN_STOP_FAILED', plugin, `failed to stop: ${describeError(cause)}`, cause)),
    )
    return { plugin, firstParty, settings, scope, failures, fail, openings: [], state: 'stopped', startMs: 0 }
  }

  /** Rules a plugin out: fatal for a first-party one, said in the log for any other. */
  function refuse(member: Member, error: KernelError): void {
    member.state = member.firstParty ? 'failed' : 'disabled'
    member.reason = error.message
    if (member.firstParty) throw error
    const { name } = member.plugin
    log.warn(`Plugin "${name}" is disabled. ${error.message}`, { plugin: name, error })
  }

  /** What can be told of a plugin before anything starts: its range of the kernel, its settings. */
  async function vet(member: Member): Promise<void> {
    assertCompatible(member.plugin, version)
    member.config = await validateConfig(member.plugin, member.settings)
  }

  /** Runs a part of the start in the time the plugin has, and blames the plugin for what goes wrong. */
  async function attempt({ plugin }: Member, work: () => Promise<void>): Promise<void> {
    const ms = plugin.startTimeoutMs
    const expired = blame('PLUGIN_START_TIMEOUT', plugin, `did not start in ${ms} ms`)
    await within(ms, work, expired).catch((cause) => {
      if (cause === expired) throw expired
      throw blame('PLUGIN_START_FAILED', plugin, `failed to start: ${describeError(cause)}`, cause)
    })
  }

  async function setUp(member: Member): Promise<void> {
    const { plugin, config, scope } = member
    const { ctx, openings, finish } = createSetup(plugin, config, scope, { log, hooks, services })
    const begun = performance.now()
    running.add(member)
    await attempt(member, async () => {
      await plugin.setup(ctx)
      finish()
    })
    Object.assign(member, { openings, state: 'started', startMs: performance.now() - begun })
    log.debug(`Plugin "${plugin.name}" started`, { plugin: plugin.name, ms: member.startMs })
  }

  const open = (member: Member) =>
    attempt(member, async () => {
      for (const opening of member.openings) await opening()
    })

  /** Stops what runs and is not in `kept`, the last started first. */
  async function tearDownAllBut(kept: readonly Member[]): Promise<void> {
    for (const member of [...running].filter((each) => !kept.includes(each)).reverse()) {
      const { plugin, scope } = member
      const late = `did not stop in ${plugin.stopTimeoutMs} ms; what was left of its cleanups was begun without waiting`
      running.delete(member)
      if (!(await scope.close(plugin.stopTimeoutMs))) member.fail(blame('PLUGIN_STOP_TIMEOUT', plugin, late))
      if (member.state === 'started') member.state = 'stopped'
    }
  }

  async function startAll(): Promise<void> {
    const fit = new Set(members)
    for (const member of members) {
      await vet(member).catch((error) => {
        refuse(member, error)
        fit.delete(member)
      })
    }
    let order = arrange([...fit], refuse)
    for (const step of [setUp, open]) {
      for (const member of [...order]) {
        if (stopping) throw stateError('The kernel was stopped while it started')
        if (!order.includes(member)) continue // it went with one it requires
        try {
          await step(member)
        } catch (error) {
          refuse(member, error as KernelError)
          const rest = order.filter((other) => other !== member)
          order = arrange(rest, refuse)
          await tearDownAllBut(order)
        }
      }
    }
  }

  async function start(): Promise<void> {
    if (starting || stopping) throw stateError('A kernel starts once. Create another one.')
    starting = startAll().catch(async (error) => {
      await tearDownAllBut([])
      throw error
    })
    return starting
  }

  async function stopAll(): Promise<void> {
    await Promise.allSettled([starting])
    await tearDownAllBut([])
    const errors = members.flatMap(({ failures }) => failures)
    if (errors.length > 0) throw new AggregateError(errors, errors.map(describeError).join('; '))
  }

  const describe = ({ plugin, state, startMs, reason }: Member): PluginReport => ({
    name: plugin.name,
    version: plugin.version,
    state,
    provides: plugin.provides.map(({ name }) => name),
    requires: plugin.requires.map(({ name }) => name),
    startMs,
    ...(reason !== undefined && { reason }),
  })

  return {
    version,
    start,
    stop() {
      stopping ??= stopAll()
      return stopping
    },
    use<T>({ name }: ServiceToken<T>): T {
      if (services.has(name)) return services.get(name) as T
      throw new KernelError('SERVICE_NOT_PROVIDED', `No plugin that has started provides service "${name}"`)
    },
    call: hooks.call,
    onHookCall: (observer) => hooks.observe(observer),
    report: () => members.map(describe),
  }
}
