/** Connections to targets, kept open between requests. @module */
import { TargetConnection } from './target-connection.ts'

/** Below the 5 s after which many servers close, so that both sides seldom disagree. */
const IDLE_MS = 4_000
/** A request that can't be sent twice takes no connection that was idle for longer: it might be closing just now. */
const FRESH_MS = 1_000

export class Pools {
  /** The longest idle first. */
  readonly #idle = new Map<string, TargetConnection[]>()
  readonly #busy = new Set<TargetConnection>()

  /**
   * A connection to `origin` (`http://HOST:PORT`), idle or new.
   * @param fresh where the request can't be repeated
   */
  take(origin: string, fresh: boolean): TargetConnection {
    const list = this.#idle.get(origin)
    const last = list?.at(-1)
    if (last !== undefined) {
      const idle = performance.now() - last.idleSince
      if (idle < Math.min(fresh ? FRESH_MS : IDLE_MS, last.idleLimitMs)) {
        list!.pop()
        this.#busy.add(last)
        return last
      }
    }
    const connection = new TargetConnection(origin, addressOf(origin), this.#release)
    this.#busy.add(connection)
    return connection
  }

  /** Closes idle connections now and busy ones when their request has ended. */
  retire(origins: readonly string[]): void {
    for (const origin of origins) {
      const list = this.#idle.get(origin) ?? []
      this.#idle.delete(origin)
      for (const connection of list) connection.destroy()
    }
    const gone = new Set(origins)
    for (const connection of this.#busy) if (gone.has(connection.origin)) connection.retired = true
  }

  /** Closes what was idle for too long. */
  tick(now: number): void {
    for (const [origin, list] of this.#idle) {
      while (list.length > 0 && now - list[0]!.idleSince > Math.min(IDLE_MS, list[0]!.idleLimitMs))
        list.shift()!.destroy()
      if (list.length === 0) this.#idle.delete(origin)
    }
  }

  close(): void {
    this.retire([...this.#idle.keys()])
    for (const connection of [...this.#busy]) connection.destroy()
  }

  #release = (connection: TargetConnection, reusable: boolean): void => {
    this.#busy.delete(connection)
    const { origin } = connection
    const list = this.#idle.get(origin)
    if (!reusable) {
      const at = list?.indexOf(connection) ?? -1
      if (at >= 0) list!.splice(at, 1)
      return
    }
    connection.idleSince = performance.now()
    if (list) list.push(connection)
    else this.#idle.set(origin, [connection])
  }
}

function addressOf(origin: string): { host: string; port: number } {
  const [, bracketed, plain, port] = /^http:\/\/(?:\[([^\]]+)\]|([^:/]+)):(\d+)$/.exec(origin)!
  return { host: (bracketed ?? plain)!, port: Number(port) }
}
