/** A route table without an edge; keeps every table it ever had. @module */
import { conflict, type Route, type Router, type SitePolicy } from '@kernel/contracts'

export class FakeRouter implements Router {
  readonly tables: Array<Array<Route & { app: string }>> = []
  readonly drained: string[][] = []
  readonly cuts: string[][] = []
  readonly policies = new Map<string, SitePolicy>()
  isReady = false
  failNextPublish: Error | undefined
  /** Resolves drains; replaced where a test wants them to take their time. */
  drainGate: Promise<unknown> = Promise.resolve()
  /** Called with the table after each change. */
  onTable: (table: Array<Route & { app: string }>) => void = () => {}
  address: Array<{ protocol: 'http' | 'https'; host: string; port: number }> = [
    { protocol: 'http', host: '127.0.0.1', port: 8080 },
  ]
  /** Connections that no drain sees the end of. */
  openAfterDrain = 0
  #routes = new Map<string, Route[]>()

  async publish(app: string, routes: Route[]): Promise<{ generation: number }> {
    if (this.failNextPublish) {
      const error = this.failNextPublish
      this.failNextPublish = undefined
      throw error
    }
    for (const [other, theirs] of this.#routes)
      for (const { host, path } of routes)
        if (other !== app && theirs.some((route) => route.host === host && route.path === path))
          throw conflict(`${host} belongs to ${other}`)
    this.#routes.set(app, structuredClone(routes))
    return this.#changed()
  }

  async withdraw(app: string): Promise<void> {
    if (this.#routes.delete(app)) this.#changed()
  }

  async list(): Promise<Array<Route & { app: string }>> {
    return [...this.#routes].flatMap(([app, routes]) => routes.map((route) => ({ ...route, app })))
  }

  async drain(targetIds: string[]): Promise<{ open: number }> {
    this.drained.push(targetIds)
    await this.drainGate
    return { open: this.openAfterDrain }
  }

  async cut(targetIds: string[]): Promise<void> {
    this.cuts.push(targetIds)
  }

  async setPolicy(app: string, policy: SitePolicy): Promise<void> {
    this.policies.set(app, policy)
  }

  async setDefaultPages(): Promise<void> {}
  async setCertificates(): Promise<void> {}
  async setChallenges(): Promise<void> {}

  async listeners() {
    return this.address
  }

  async ready(): Promise<void> {
    this.isReady = true
  }

  /** The edge is part of the daemon: a kill empties it. */
  forgetAll(): void {
    this.#routes = new Map()
    this.isReady = false
  }

  #changed(): { generation: number } {
    const table = [...this.#routes].flatMap(([app, routes]) => routes.map((route) => ({ ...route, app })))
    this.tables.push(table)
    this.onTable(table)
    return { generation: this.tables.length }
  }
}
