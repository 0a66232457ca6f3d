/**
 * Routes, and the names that all sides of the route table share.
 * @module
 */
import { RouteTableError } from './errors.ts'
import { constant, instantiate } from './load.ts'
import type { WasmMemory } from './webassembly.ts'

/** One line of a route table. */
export interface Route {
  /** `app.example.com`; `*.example.com` for any host of one or more labels below it; `''` for every other host. */
  host: string
  /** `''` for all paths, or a prefix such as `/api`, which covers `/api` and `/api/...`, but not `/apis`. */
  path: string
  /** What a lookup gives back; the table does not look into it. Bytes must be UTF-8. */
  value: Uint8Array | string
}

/** What a lookup found. The same object comes back as long as the table is the same. */
export interface RouteHit<T> {
  /** The route's place in the list that was published. */
  readonly index: number
  /** The publication that the hit belongs to, value and all. */
  readonly generation: number
  readonly value: T
}

/** The longest host or path prefix, in bytes of UTF-8. */
export const MAX_KEY_BYTES = 8192

/** The wildcard's host as the table keeps it: lower case is left to the table. */
export function hostKey(host: string): string {
  const key = host.endsWith('.') ? host.slice(0, -1) : host
  const bare = key.startsWith('*.') ? key.slice(2) : key
  if (key !== '' && (bare === '' || /[*/?#\0\s]|^\.|\.\.|\.$/.test(bare))) {
    throw new RouteTableError('invalid-route', `${JSON.stringify(host)} is not a host name or *.wildcard`)
  }
  return key.startsWith('*.') ? key.slice(1) : key
}

/** The path prefix as the table keeps it: no slash at its end. */
export function pathKey(path: string): string {
  if (path !== '' && (!path.startsWith('/') || /[?#]/.test(path))) {
    throw new RouteTableError(
      'invalid-route',
      `${JSON.stringify(path)} is not a path prefix: it must be empty or begin with "/", and carry no query`,
    )
  }
  let end = path.length
  while (end > 0 && path.charCodeAt(end - 1) === 47) end--
  return path.slice(0, end)
}

/** The exports of assembly/routes.ts. */
export interface RouteModule {
  lookup(scratch: number, hostLength: number, pathLength: number): number
  locate(scratch: number, index: number): number
  intact(scratch: number, generation: number): number
  currentBase(): number
  currentLength(): number
  begin(): number
  build(
    generation: number,
    base: number,
    length: number,
    bits: number,
    routes: number,
    seed: bigint,
    multiplier: bigint,
    scramble: bigint,
  ): number
  routesAt(bits: number): number
  duplicate(): number
  commit(generation: number): void
}

/** The module over a table's memory, and the addresses and codes it was compiled with. */
export function routeModule(memory: WasmMemory) {
  const exports = instantiate('routes', memory)
  const at = (name: string) => constant(exports, name)
  return {
    wasm: exports as unknown as RouteModule,
    magic: at('MAGIC'),
    magicAt: at('MAGIC_AT'),
    generationAt: at('GENERATION_AT'),
    ownersAt: at('OWNERS_AT'),
    readers: at('READERS'),
    readerArea: at('READER_AREA'),
    readerBytes: at('READER_BYTES'),
    arenas: at('ARENAS'),
    arenaSlack: at('ARENA_SLACK'),
    routeRecord: at('ROUTE_RECORD'),
    resultGeneration: at('RESULT_GENERATION'),
    resultOffset: at('RESULT_OFFSET'),
    resultLength: at('RESULT_LENGTH'),
    hostInput: at('HOST_INPUT'),
    pathInput: at('PATH_INPUT'),
    notFound: at('NOT_FOUND'),
    retry: at('RETRY'),
    ok: at('OK'),
    duplicate: at('DUPLICATE'),
  }
}
