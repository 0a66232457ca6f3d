import type { HttpHandler, MountOptions } from '@kernel/contracts'
import { unavailable } from '@kernel/contracts'

/** Part of the URL space that a handler answers for. */
export interface Mount {
  readonly prefix: string
  readonly options: MountOptions
  handle: HttpHandler
  /** Calls under way. */
  readonly calls: Set<Call>
}

/** One request under way: its signal, and when it was answered or its connection given back. */
export interface Call {
  abort(reason: Error): void
  readonly ended: Promise<void>
}

/** The URL space of the server: prefixes and who answers for them. */
export class Mounts {
  readonly #mounts: Mount[] = []
  readonly #graceMs: number

  /** @param graceMs how long calls under way may take when their mount is taken away */
  constructor(graceMs: number) {
    this.#graceMs = graceMs
  }

  /**
   * Adds a mount. What is returned takes it away: new requests get 503, streams are told to end, and the
   * promise resolves when the last call has ended, or after the time of grace.
   */
  add(prefix: string, handle: HttpHandler, options: MountOptions): () => Promise<void> {
    const mount: Mount = { prefix, handle, options, calls: new Set() }
    const former = this.#mounts.findIndex((other) => other.prefix === prefix)
    if (former >= 0) this.#mounts.splice(former, 1)
    this.#mounts.push(mount)
    this.#mounts.sort((a, b) => b.prefix.length - a.prefix.length)
    return async () => {
      // It stays as a sign that there was something: "is stopping" is truer than "not found".
      mount.handle = refuse
      for (const call of mount.calls) call.abort(stopping())
      const late = Promise.withResolvers<void>()
      const timer = setTimeout(late.resolve, this.#graceMs)
      await Promise.race([Promise.all([...mount.calls].map((call) => call.ended)), late.promise])
      clearTimeout(timer)
    }
  }

  /** The mount with the longest prefix that a path has. A prefix without a final slash means whole segments. */
  find(path: string): Mount | undefined {
    return this.#mounts.find(({ prefix }) =>
      prefix.endsWith('/') ? path.startsWith(prefix) : path === prefix || path.startsWith(`${prefix}/`),
    )
  }

  /** Whether a request without upgrade takes the connection over. */
  takesOver(method: string, path: string): boolean {
    return this.find(path)?.options.hijacks?.(method, path) ?? false
  }
}

const stopping = () =>
  unavailable('The daemon is stopping', { hint: 'Containers keep running; try again soon.' })

const refuse: HttpHandler = () => {
  throw stopping()
}
