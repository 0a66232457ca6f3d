/**
 * A plugin: a manifest that says what it needs and gives, and a `setup` that does it.
 *
 * @module
 * @example
 * export default definePlugin({
 *   name: 'greeter', version: '1.0.0', kernel: '^1',
 *   requires: [Clock], provides: [Greeter],
 *   setup(ctx) {
 *     const clock = ctx.use(Clock)
 *     ctx.provide(Greeter, { greet: (name) => `${clock.hour() < 12 ? 'Good morning' : 'Hello'}, ${name}` })
 *   },
 * })
 */
import { KernelError } from './errors.ts'
import type { CallHook, OnHook } from './hook.ts'
import type { Logger } from './log.ts'
import type { ConfigOf, StandardSchema } from './schema.ts'
import type { AnyService, ServiceOf } from './service.ts'

/** Longest delay `setTimeout` knows; a longer one would fire at once. */
const longestTimeoutMs = 2 ** 31 - 1
const defaultTimeoutMs = 30_000

/** What a plugin sees of the kernel. Everything done through it is undone when the plugin stops. */
export interface PluginContext<
  Requires extends AnyService = AnyService,
  Optional extends AnyService = AnyService,
  Provides extends AnyService = AnyService,
  Config = unknown,
> {
  /** The settings, as the schema of the manifest made them. */
  readonly config: Config
  /** Every line carries the name of the plugin. */
  readonly log: Logger
  /** Aborted when the plugin begins to stop, before its first cleanup. */
  readonly signal: AbortSignal
  /**
   * The service behind a token. Ask again rather than keep an optional one: it may be gone by then.
   *
   * @throws KernelError `SERVICE_UNDECLARED` where neither `requires` nor `optional` has the token.
   */
  use<S extends Requires | Optional>(token: S): S extends Requires ? ServiceOf<S> : ServiceOf<S> | undefined
  /** Gives a service of `provides`. All of them are due by the end of `setup`. */
  provide<S extends Provides>(token: S, implementation: ServiceOf<S>): void
  /** Takes part in a hook until the plugin stops. */
  on: OnHook
  call: CallHook
  /**
   * Remembers a cleanup for when the plugin stops, or when its setup fails half way; the last comes first.
   * Once the plugin has stopped, a cleanup that comes late is run at once, so that nothing leaks.
   */
  defer(cleanup: () => unknown): void
  /** Calls `open` after every plugin has started, in start order: for what lets the world in. Only in `setup`. */
  ready(open: () => unknown): void
}

/** What a plugin author writes. */
export interface PluginManifest<
  Requires extends readonly AnyService[],
  Optional extends readonly AnyService[],
  Provides extends readonly AnyService[],
  Schema extends StandardSchema | undefined,
> {
  /** Unique in a kernel; also the name of the section with the settings. */
  name: string
  /** A semantic version. */
  version: string
  /** The versions of the kernel it was made for, as a semver range such as `^1`. */
  kernel: string
  /** Services without which the plugin cannot start. */
  requires?: Requires
  /** Services it uses where somebody provides them. */
  optional?: Optional
  provides?: Provides
  /** Any Standard Schema. Without settings it is given `{}`, so that its defaults apply. */
  config?: Schema
  /** What the plugin asks of its host, for the operator to read. */
  permissions?: readonly string[]
  isolation?: 'in-process'
  /** For `setup`, and again for what it gave to `ready`. 30 s unless told. */
  startTimeoutMs?: number
  /** For all cleanups together. 30 s unless told. */
  stopTimeoutMs?: number
  setup(
    ctx: PluginContext<Requires[number], Optional[number], Provides[number], ConfigOf<Schema>>,
  ): void | Promise<void>
}

/** A plugin as the kernel sees it: nothing left out, types of its tokens forgotten. */
export interface Plugin {
  readonly name: string
  readonly version: string
  readonly kernel: string
  readonly requires: readonly AnyService[]
  readonly optional: readonly AnyService[]
  readonly provides: readonly AnyService[]
  readonly config: StandardSchema | undefined
  readonly permissions: readonly string[]
  readonly isolation: 'in-process'
  readonly startTimeoutMs: number
  readonly stopTimeoutMs: number
  setup(ctx: PluginContext): void | Promise<void>
}

/** Fills in what a manifest leaves out. Does nothing else: importing a plugin has no side effect. */
export function definePlugin<
  const Requires extends readonly AnyService[] = [],
  const Optional extends readonly AnyService[] = [],
  const Provides extends readonly AnyService[] = [],
  Schema extends StandardSchema | undefined = undefined,
>(manifest: PluginManifest<Requires, Optional, Provides, Schema>): Plugin {
  return Object.freeze({
    requires: [],
    optional: [],
    provides: [],
    config: undefined,
    permissions: [],
    isolation: 'in-process',
    startTimeoutMs: defaultTimeoutMs,
    stopTimeoutMs: defaultTimeoutMs,
    ...manifest,
  }) as unknown as Plugin
}

/**
 * Checks the shape of what a package exports; by shape, not by class, so that two copies of the kernel's
 * package in one tree do no harm.
 *
 * @param source where the value came from, for the message.
 * @throws KernelError `PLUGIN_INVALID`, with everything that is wrong.
 */
export function assertPlugin(value: unknown, source: string): asserts value is Plugin {
  const plugin = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>
  const isText = (field: unknown) => typeof field === 'string' && field !== ''
  const isServices = (field: unknown) =>
    Array.isArray(field) && field.every((token) => token?.kind === 'service' && isText(token.name))
  const isTimeout = (field: unknown) =>
    Number.isInteger(field) && (field as number) > 0 && (field as number) <= longestTimeoutMs
  const isSchema = (field: unknown) =>
    field === undefined || (field as StandardSchema | null)?.['~standard']?.version === 1
  const rules: [field: string, holds: (field: unknown) => boolean, expected: string][] = [
    ['name', isText, 'a text'],
    ['version', isText, 'a text'],
    ['kernel', isText, 'a semver range such as "^1"'],
    ['requires', isServices, 'a list of service tokens'],
    ['optional', isServices, 'a list of service tokens'],
    ['provides', isServices, 'a list of service tokens'],
    ['config', isSchema, 'a Standard Schema v1, such as one of zod'],
    ['permissions', (field) => Array.isArray(field) && field.every(isText), 'a list of texts'],
    ['isolation', (field) => field === 'in-process', '"in-process"'],
    ['startTimeoutMs', isTimeout, `a whole number from 1 to ${longestTimeoutMs}`],
    ['stopTimeoutMs', isTimeout, `a whole number from 1 to ${longestTimeoutMs}`],
    ['setup', (field) => typeof field === 'function', 'a function'],
  ]
  const wrong = rules.filter(([field, holds]) => !holds(plugin[field]))
  if (wrong.length === 0) return
  const list = wrong.map(([field, , expected]) => `  ${field} must be ${expected}`).join('\n')
  throw new KernelError(
    'PLUGIN_INVALID',
    `${source} is not a plugin. Its default export must be what definePlugin returns:\n${list}`,
  )
}
