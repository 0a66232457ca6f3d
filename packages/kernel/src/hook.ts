export type HookKind = 'series' | 'parallel' | 'bail' | 'waterfall' | 'around'

/** Any hook, where the types of its event do not matter. */
export interface AnyHook {
  readonly name: string
  readonly kind: HookKind
}

/**
 * A token of a hook: a moment that a plugin announces and others take part in. `E` is the event (for a waterfall:
 * the value), `R` the result (for a waterfall: the context). Tokens are compared by name.
 */
export interface Hook<K extends HookKind, E, R> extends AnyHook {
  readonly kind: K
  /** Never present at run time: it carries the types. */
  readonly '~types'?: (event: E, result: R) => [E, R]
}

/** What a handler looks like, kind by kind. */
export interface Handlers<E, R> {
  series: (event: E) => void | Promise<void>
  parallel: (event: E) => void | Promise<void>
  /** `undefined` declines. */
  bail: (event: E) => R | undefined | Promise<R | undefined>
  /** Must return the value, changed or not. */
  waterfall: (value: E, context: R) => E | Promise<E>
  /** Wraps what is inside; may leave `next` out and answer itself, or call it again. */
  around: (event: E, next: () => Promise<R>) => R | Promise<R>
}

/** What the first plugin that did not decline said. */
export type Answer<R> = { value: R; plugin: string }

/** What a call looks like, kind by kind. */
export interface Calls<E, R> {
  series: (event: E) => Promise<void>
  parallel: (event: E) => Promise<void>
  bail: (event: E) => Promise<Answer<R> | undefined>
  waterfall: (value: E, ...context: undefined extends R ? [context?: R] : [context: R]) => Promise<E>
  around: (event: E, core: () => Promise<R>) => Promise<R>
}

/**
 * @throws KernelError `HOOK_FAILED`, naming the plugin; for `parallel`, one AggregateError of these. What the core
 * of `around` throws passes through untouched.
 */
export type CallHook = <K extends HookKind, E, R>(
  hook: Hook<K, E, R>,
  ...args: Parameters<Calls<E, R>[K]>
) => ReturnType<Calls<E, R>[K]>

export interface HookOptions {
  /** Early, in the middle (the default), or late. Within one of these: in the order of registration. */
  order?: 'pre' | 'normal' | 'post'
  /** Names of plugins whose handlers of this hook come later than this one. Stronger than `order`. */
  before?: readonly string[]
  /** Names of plugins whose handlers of this hook come earlier than this one. Stronger than `order`. */
  after?: readonly string[]
}

export type OnHook = <K extends HookKind, E, R>(
  hook: Hook<K, E, R>,
  handler: Handlers<NoInfer<E>, NoInfer<R>>[K],
  options?: HookOptions,
) => void

/**
 * @example
 * export const builderDetect = defineHook.bail<{ app: string; dir: string }, string>('builder-detect')
 * ctx.on(builderDetect, async ({ dir }) => ((await hasDockerfile(dir)) ? 'dockerfile' : undefined))
 * const answer = await ctx.call(builderDetect, { app, dir }) // { value: 'dockerfile', plugin: 'docker-build' }
 */
export const defineHook = {
  /** Every handler, one after the other; the first failure ends it. */
  series: <E>(name: string): Hook<'series', E, void> => Object.freeze({ name, kind: 'series' }),
  /** Every handler at once; all finish, then the failures are thrown together. */
  parallel: <E>(name: string): Hook<'parallel', E, void> => Object.freeze({ name, kind: 'parallel' }),
  /** One after the other until one answers. */
  bail: <E, R>(name: string): Hook<'bail', E, R> => Object.freeze({ name, kind: 'bail' }),
  /** A value `E` goes through every handler; `C` is a context they all see. */
  waterfall: <E, C = undefined>(name: string): Hook<'waterfall', E, C> =>
    Object.freeze({ name, kind: 'waterfall' }),
  /** Handlers wrapped around a core, the first of them outermost. */
  around: <E, R>(name: string): Hook<'around', E, R> => Object.freeze({ name, kind: 'around' }),
}
