/**
 * Routes: lookups with strings that nobody has hashed yet, as an HTTP parser gives them.
 * @module
 */
import findMyWay from 'find-my-way'
import { type Route, RouteTableReader, RouteTableWriter } from '../src/index.ts'
import { RouteMap } from '../src/twin/route-map.ts'
import { measure } from './measure.ts'

const PATHS = ['', '/api', '/api/v1', '/static']
const LOOKUPS = 100_000

function routesOf(count: number): Route[] {
  return Array.from({ length: count }, (_, i) => ({
    host: `app${Math.floor(i / PATHS.length)}.apps.example.com`,
    path: PATHS[i % PATHS.length]!,
    value: '["10.0.0.2:5000"]',
  }))
}

function requests(routes: readonly Route[]): Array<[string, string]> {
  return Array.from({ length: LOOKUPS }, (_, i) => {
    const { host, path } = routes[(i * 7919) % routes.length]!
    return [Buffer.from(host).toString('latin1'), Buffer.from(`${path}/users/${i}`).toString('latin1')]
  })
}

export async function benchRoutes(): Promise<void> {
  for (const count of [10, 1000, 100_000]) {
    const routes = routesOf(count)
    const writer = RouteTableWriter.create()
    writer.publish(routes)
    const reader = new RouteTableReader(writer.memory)
    const map = new RouteMap(routes)
    const router = findMyWay()
    // Its host constraints end at 31 hosts a path, so the host is made the path's first part.
    for (const { host, path } of routes) router.on('GET', `/${host}${path}/*`, () => {})
    const prepare = () => requests(routes)
    const each = (look: (host: string, path: string) => unknown) => (all: Array<[string, string]>) => {
      for (const [host, path] of all) if (!look(host, path)) throw new Error(`no route for ${host}${path}`)
    }
    await measure({ title: `lookups in ${count} routes`, units: LOOKUPS, unit: 'lookup', rounds: 7 }, [
      { name: 'core-wasm RouteTableReader', prepare, run: each((host, path) => reader.lookup(host, path)) },
      {
        name: 'JavaScript twin (Maps)',
        prepare,
        run: each((host, path) => map.lookup(host, path) !== undefined),
      },
      {
        name: 'find-my-way, host in the path',
        prepare,
        run: each((host, path) => router.find('GET', `/${host}${path}`)),
      },
    ])
    await measure({ title: `publication of ${count} routes`, units: 1, unit: 'publication', rounds: 5 }, [
      { name: 'core-wasm RouteTableWriter', run: () => writer.publish(routes) },
      { name: 'JavaScript twin (Maps, one thread only)', run: () => new RouteMap(routes) },
    ])
  }
}
