import { describeError, KernelError } from './errors.ts'
import { sortByDependency } from './graph.ts'
import type { AnyHook, CallHook, HookKind, HookOptions } from './hook.ts'
import type { Logger } from './log.ts'

/** One handler call, for tracing. For `around`, `ms` has the time of what is inside. */
export interface HookCall {
  hook: string
  plugin: string
  ms: number
  /** Present where this handler failed; absent where a failure only passed through it. */
  error?: KernelError
}

type Handler = (...args: unknown[]) => unknown
type Registration = { plugin: string; handler: Handler; options: HookOptions }
/** In the order they run. Replaced, never changed, so that a call in flight keeps the list it began with. */
type Handlers = readonly Registration[]
/** Runs one handler; what it throws comes out with its blame, but for the errors in `risen`. */
type Invoke = (to: Registration, run: () => unknown, risen?: ReadonlySet<unknown>) => Promise<unknown>

const runners: Record<HookKind, (handlers: Handlers, invoke: Invoke, args: unknown[]) => unknown> = {
  async series(handlers, invoke, [event]) {
    for (const to of handlers) await invoke(to, () => to.handler(event))
  },

  async parallel(handlers, invoke, [event]) {
    const results = await Promise.allSettled(handlers.map((to) => invoke(to, () => to.handler(event))))
    const errors = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []))
    if (errors.length > 0) throw new AggregateError(errors, errors.map(describeError).join('; '))
  },

  async bail(handlers, invoke, [event]) {
    for (const to of handlers) {
      const value = await invoke(to, () => to.handler(event))
      if (value !== undefined) return { value, plugin: to.plugin }
    }
  },

  async waterfall(handlers, invoke, [first, context]) {
    let value = first
    for (const to of handlers) {
      value = await invoke(to, async () => {
        const result = await to.handler(value, context)
        if (result === undefined) throw new TypeError('it returned nothing, but has to return the value')
        return result
      })
    }
    return value
  },

  around(handlers, invoke, [event, core]) {
    const wrap = (inside: Handler, to: Registration) => {
      const risen = new Set<unknown>()
      const next = async () => {
        try {
          return await inside()
        } catch (error) {
          risen.add(error)
          throw error
        }
      }
      return () => invoke(to, () => to.handler(event, next), risen)
    }
    return handlers.reduceRight(wrap, core as Handler)()
  },
}

/** By phase, then by registration, then moved as far as `before` and `after` demand. */
function sortHandlers(hook: string, handlers: Handlers): Handlers {
  const phase = ({ options: { order = 'normal' } }: Registration) => ['pre', 'normal', 'post'].indexOf(order)
  const isBefore = (a: Registration, b: Registration) =>
    a.plugin !== b.plugin && (a.options.before?.includes(b.plugin) || b.options.after?.includes(a.plugin))
  const byPhase = handlers.toSorted((a, b) => phase(a) - phase(b))
  const { sorted, cycle } = sortByDependency(byPhase, (to) => byPhase.filter((other) => isBefore(other, to)))
  if (cycle === undefined) return sorted
  const path = cycle.map(({ plugin }) => plugin).join(' after ')
  throw new KernelError('HOOK_ORDER_CYCLE', `The handlers of hook "${hook}" cannot be ordered: ${path}`, {
    hook,
  })
}

/** The handlers of every hook: their order, and how each kind of hook runs them. */
export class HookRegistry {
  readonly #entries = new Map<string, { readonly kind: HookKind; handlers: Handlers }>()
  readonly #observers = new Set<(call: HookCall) => void>()
  readonly #log: Logger

  constructor(log: Logger) {
    this.#log = log
  }

  /** Returns what takes the handler out again. Throws `HOOK_ORDER_CYCLE` or `HOOK_KIND_MISMATCH`. */
  add(hook: AnyHook, plugin: string, handler: Handler, options: HookOptions = {}): () => void {
    const entry = this.#entry(hook)
    const registration = { plugin, handler, options }
    entry.handlers = sortHandlers(hook.name, [...entry.handlers, registration])
    return () => {
      entry.handlers = entry.handlers.filter((other) => other !== registration)
    }
  }

  readonly call = (async (hook: AnyHook, ...args: unknown[]) => {
    const { handlers } = this.#entry(hook)
    return runners[hook.kind](handlers, (to, run, risen) => this.#invoke(hook.name, to, run, risen), args)
  }) as unknown as CallHook

  /** `observer` hears of every handler call, until what is returned is called. */
  observe(observer: (call: HookCall) => void): () => void {
    this.#observers.add(observer)
    return () => this.#observers.delete(observer)
  }

  async #invoke(hook: string, { plugin }: Registration, run: () => unknown, risen?: ReadonlySet<unknown>) {
    const begun = performance.now()
    let error: KernelError | undefined
    try {
      return await run()
    } catch (cause) {
      if (risen?.has(cause)) throw cause
      const message = `Plugin "${plugin}" failed in hook "${hook}": ${describeError(cause)}`
      error = new KernelError('HOOK_FAILED', message, { plugin, hook, cause })
      throw error
    } finally {
      this.#tell({ hook, plugin, ms: performance.now() - begun, ...(error && { error }) })
    }
  }

  #tell(call: HookCall): void {
    for (const observer of this.#observers) {
      try {
        observer(call)
      } catch (error) {
        this.#log.error('An observer of hook calls failed', { hook: call.hook, error })
      }
    }
  }

  #entry({ name, kind }: AnyHook) {
    const entry = this.#entries.get(name) ?? { kind, handlers: [] }
    this.#entries.set(name, entry)
    if (entry.kind === kind) return entry
    const message = `Hook "${name}" is of kind ${entry.kind}, but a token of that name says ${kind}. Rename one.`
    throw new KernelError('HOOK_KIND_MISMATCH', message, { hook: name })
  }
}
