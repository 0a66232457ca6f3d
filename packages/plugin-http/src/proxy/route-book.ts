/** All routes of all apps, and the place of each target in the shared counts. @module */
import { conflict, invalid, type Route, type SitePolicy, unavailable } from '@kernel/contracts'
import { MAX_TARGETS } from './in-flight.ts'
import type { RouteValue } from './messages.ts'

/** A route as the table takes it. */
export interface TableLine {
  host: string
  path: string
  value: string
}

/** What a change of routes comes to; nothing has happened until `commit`. */
export interface Change {
  lines: TableLine[]
  /** Origins that no route leads to any more. */
  retired: string[]
  commit(): void
}

interface Seat {
  slot: number
  origin: string
}

export class RouteBook {
  readonly #isIdle: (slot: number) => boolean
  #routes = new Map<string, Route[]>()
  #policies = new Map<string, SitePolicy>()
  /** Targets in the table, and those that left it and are still busy; by id. */
  #seats = new Map<string, Seat>()

  /** @param isIdle whether nothing is in flight in a place, so that another target may have it */
  constructor(isIdle: (slot: number) => boolean) {
    this.#isIdle = isIdle
  }

  list(): Array<Route & { app: string }> {
    return [...this.#routes].flatMap(([app, routes]) => routes.map((route) => ({ app, ...route })))
  }

  /** The places of these targets; unknown ones have none. */
  slots(ids: readonly string[]): number[] {
    return ids.map((id) => this.#seats.get(id)?.slot).filter((slot) => slot !== undefined)
  }

  /** Targets of each app, by their places. */
  slotsByApp(): Map<string, Set<number>> {
    return new Map(
      [...this.#routes].map(([app, routes]) => [
        app,
        new Set(this.slots(routes.flatMap((r) => r.targets.map((t) => t.id)))),
      ]),
    )
  }

  /** The table with these routes for `app` in place of its old ones. @throws conflict, invalid, unavailable */
  change(app: string, routes: readonly Route[]): Change {
    const own = routes.map(normalize)
    const next = new Map(this.#routes)
    if (own.length === 0) next.delete(app)
    else next.set(app, own)
    this.#refuseClashes(app, own)

    const { lines, seats } = this.#compile(next)
    const before = originsOf(this.#routes)
    const after = originsOf(next)
    return {
      lines,
      retired: [...before].filter((origin) => !after.has(origin)),
      commit: () => {
        this.#routes = next
        this.#seats = seats
      },
    }
  }

  /** The table with this policy for the visitors of `app`; one that says nothing takes it away. */
  changePolicy(app: string, policy: SitePolicy): Omit<Change, 'retired'> {
    const next = new Map(this.#policies)
    if (Object.values(policy).every((value) => value === undefined)) next.delete(app)
    else next.set(app, policy)
    const { lines, seats } = this.#compile(this.#routes, next)
    return {
      lines,
      commit: () => {
        this.#policies = next
        this.#seats = seats
      },
    }
  }

  /** The table as it is. */
  lines(): TableLine[] {
    return this.#compile(this.#routes).lines
  }

  #compile(routes: ReadonlyMap<string, Route[]>, policies = this.#policies) {
    const seats = this.#seat(routes)
    const lines: TableLine[] = []
    for (const [app, list] of routes) {
      const policy = policies.get(app)
      for (const { host, path, state, targets } of list) {
        const value: RouteValue = {
          app,
          state,
          targets: targets.map(({ id }) => ({ id, ...seats.get(id)! })),
          ...(policy !== undefined && { policy }),
        }
        lines.push({ host, path, value: JSON.stringify(value) })
      }
    }
    return { lines, seats }
  }

  #refuseClashes(app: string, own: readonly Route[]): void {
    const seen = new Map<string, string>()
    for (const [owner, routes] of this.#routes)
      if (owner !== app) for (const route of routes) seen.set(keyOf(route), owner)
    for (const route of own) {
      const owner = seen.get(keyOf(route))
      const place = `${route.host || 'the default host'}${route.path}`
      if (owner === app) throw invalid(`The app ${app} has two routes for ${place}`, { hint: 'Keep one.' })
      if (owner !== undefined)
        throw conflict(`${place} belongs to the app ${owner}`, {
          hint: `Take the domain away from ${owner} first, or choose another.`,
        })
      seen.set(keyOf(route), app)
    }
  }

  // Keeps the place of every target that stays, that is still busy, or that only now leaves the table: until the
  // new table is out, requests may still be on their way to it. Once it is out, idle is idle for good.
  #seat(routes: ReadonlyMap<string, Route[]>): Map<string, Seat> {
    const seats = new Map<string, Seat>()
    const listed = idsOf(this.#routes)
    for (const [id, seat] of this.#seats) if (listed.has(id) || !this.#isIdle(seat.slot)) seats.set(id, seat)
    const targets = [...routes.values()].flat().flatMap((route) => route.targets)
    for (const { id, host, port } of targets) {
      const old = this.#seats.get(id)
      if (old) seats.set(id, { slot: old.slot, origin: originOf(host, port) })
    }
    const taken = new Set([...seats.values()].map(({ slot }) => slot))
    let free = 0
    for (const { id, host, port } of targets) {
      if (seats.has(id)) continue
      while (taken.has(free)) free++
      if (free >= MAX_TARGETS)
        throw unavailable(`The edge knows ${MAX_TARGETS} targets and has no place for another`, {
          hint: 'Scale some apps down.',
        })
      taken.add(free)
      seats.set(id, { slot: free, origin: originOf(host, port) })
    }
    return seats
  }
}

function normalize(route: Route): Route {
  const { id, port } =
    route.targets.find(({ port }) => !Number.isInteger(port) || port < 1 || port > 65_535) ?? {}
  if (id !== undefined) throw invalid(`The target ${id} has the port ${port}, which is none`)
  return {
    ...route,
    host: route.host.toLowerCase().replace(/\.$/, ''),
    path: route.path.replace(/\/+$/, ''),
    targets: route.targets.map((target) => ({ ...target })),
  }
}

function keyOf({ host, path }: Route): string {
  return `${host} ${path}`
}

function originOf(host: string, port: number): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}

function idsOf(routes: ReadonlyMap<string, Route[]>): Set<string> {
  return new Set([...routes.values()].flat().flatMap((route) => route.targets.map(({ id }) => id)))
}

function originsOf(routes: ReadonlyMap<string, Route[]>): Set<string> {
  return new Set([...routes.values()].flat().flatMap((r) => r.targets.map((t) => originOf(t.host, t.port))))
}
