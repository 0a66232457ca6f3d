import { KernelError } from './errors.ts'
import type { CallHook, OnHook } from './hook.ts'
import type { Logger } from './log.ts'
import type { ConfigOf, StandardSchema } from './schema.ts'
import type { AnyService, ServiceOf } from './service.ts'

/** Longest delay `setTimeout` knows; a longer one would fire at once. */
const longestTimeoutMs = 2 ** 31 - 1

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
  /** The service behind a token. Ask again rather than keep an optional one: it may be gone by then. */
  use<S extends Requires | Optional>(token: S): S extends Requires ? ServiceOf<S> : ServiceOf<S> | undefined
  /** Gives a service of `provides`. All of them are due by the end of `setup`. */
  provide<S extends Provides>(token: S, implementation: ServiceOf<S>): void
  /** Takes part in a hook until the plugin stops. */
  on: OnHook
  call: CallHook
  /**
   * Remembers a cleanup for when the plugin stops, or when its start fails half way; the last comes first. One that
   * comes after the plugin has stopped is run at once, so that nothing leaks.
   */
  defer(cleanup: () => unknown): void
  /** Calls `open` after every plugin has started, in start order: for what lets the world in. Only in `setup`. */
  ready(open: () => unknown): void
}

/** A plugin as the kernel sees it: nothing left out, the types of its tokens forgotten. */
export interface Plugin {
  /** Unique in a kernel; also the name of the section with the settings. */
  readonly name: string
  /** A semantic version. */
  readonly version: string
  /** The versions of the kernel it was made for, as a semver range such as `^1`. */
  readonly kernel: string
  /** Services without which the plugin cannot start. */
  readonly requires: readonly AnyService[]
  /** Services it uses where somebody provides them. */
  readonly optional: readonly AnyService[]
  readonly provides: readonly AnyService[]
  /** Any Standard Schema. Without settings it is given `{}`, so that its defaults apply. */
  readonly config?: StandardSchema | undefined
  /** What the plugin asks of its host, for the operator to read. */
  readonly permissions: readonly string[]
  readonly isolation: 'in-process'
  /** For `setup`, and again for what it gave to `ready`. 30 s unless told. */
  readonly startTimeoutMs: number
  /** For all cleanups together. 30 s unless told. */
  readonly stopTimeoutMs: number
  setup(ctx: PluginContext): void | Promise<void>
}

/** What a plugin author writes: a manifest of what the plugin needs and gives, and a `setup` that does it. */
export type PluginManifest<
  Requires extends readonly AnyService[],
  Optional extends readonly AnyService[],
  Provides extends readonly AnyService[],
  Schema extends StandardSchema | undefined,
> = Pick<Plugin, 'name' | 'version' | 'kernel'> &
  Partial<Pick<Plugin, 'permissions' | 'isolation' | 'startTimeoutMs' | 'stopTimeoutMs'>> & {
    requires?: Requires
    optional?: Optional
    provides?: Provides
    config?: Schema
    setup(
      ctx: PluginContext<Requires[number], Optional[number], Provides[number], ConfigOf<Schema>>,
    ): void | Promise<void>
  }

/**
 * Fills in what a manifest leaves out, and does nothing else: importing a plugin has no side effect.
 *
 * @example
 * export default definePlugin({
 *   name: 'greeter', version: '1.0.0', kernel: '^1', requires: [Clock], provides: [Greeter],
 *   setup(ctx) {
 *     const clock = ctx.use(Clock)
 *     ctx.provide(Greeter, { greet: (name) => `${clock.hour() < 12 ? 'Good morning' : 'Hello'}, ${name}` })
 *   },
 * })
 */
export function definePlugin<
  const Requires extends readonly AnyService[] = [],
  const Optional extends readonly AnyService[] = [],
  const Provides extends readonly AnyService[] = [],
  Schema extends StandardSchema | undefined = undefined,
>(manifest: PluginManifest<Requires, Optional, Provides, Schema>): Plugin {
  const timeouts = { startTimeoutMs: 30_000, stopTimeoutMs: 30_000 }
  const defaults = {
    requires: [],
    optional: [],
    provides: [],
    permissions: [],
    isolation: 'in-process',
    ...timeouts,
  }
  return Object.freeze({ ...defaults, ...manifest }) as unknown as Plugin
}

/**
 * Checks the shape of what a package exports; by shape and not by class, so that two copies of the kernel's
 * package in one tree do no harm. Throws KernelError `PLUGIN_INVALID`, with everything that is wrong.
 *
 * @param source where the value came from, for the message.
 */
export function assertPlugin(value: unknown, source: string): asserts value is Plugin {
  const isText = (field: unknown) => typeof field === 'string' && field !== ''
  const isService = (token: unknown) =>
    (token as AnyService)?.kind === 'service' && isText((token as AnyService).name)
  const isTimeout = (field: unknown) =>
    Number.isInteger(field) && Number(field) > 0 && Number(field) <= longestTimeoutMs
  const isListOf = (holds: (each: unknown) => boolean) => (field: unknown) =>
    Array.isArray(field) && field.every(holds)
  const isSchema = (field: unknown) => (field as StandardSchema | null)?.['~standard']?.version === 1
  const text = { holds: isText, expected: 'a text' }
  const services = { holds: isListOf(isService), expected: 'a list of service tokens' }
  const timeout = { holds: isTimeout, expected: `a whole number from 1 to ${longestTimeoutMs}` }
  const rules: Record<keyof Plugin, { holds: (field: unknown) => boolean; expected: string }> = {
    name: text,
    version: text,
    kernel: { holds: isText, expected: 'a semver range such as "^1"' },
    requires: services,
    optional: services,
    provides: services,
    config: { holds: (field) => field === undefined || isSchema(field), expected: 'a Standard Schema v1' },
    permissions: { holds: isListOf(isText), expected: 'a list of texts' },
    isolation: { holds: (field) => field === 'in-process', expected: '"in-process"' },
    startTimeoutMs: timeout,
    stopTimeoutMs: timeout,
    setup: { holds: (field) => typeof field === 'function', expected: 'a function' },
  }
  const fields = new Map(Object.entries(value ?? {}))
  const wrong = Object.entries(rules).filter(([field, { holds }]) => !holds(fields.get(field)))
  if (wrong.length === 0) return
  const list = wrong.map(([field, { expected }]) => `\n  ${field} must be ${expected}`).join('')
  const message = `${source} is not a plugin. Its default export must be what definePlugin returns:${list}`
  throw new KernelError('PLUGIN_INVALID', message)
}
