/**
 * The route table in plain JavaScript: the same answers from Maps, to test and measure the other against.
 * @module
 */
import { hostKey, MAX_KEY_BYTES, pathKey, type Route } from '../route.ts'

const lower = (host: string) => host.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())

/** Index of routes by host, then by path. */
export class RouteMap {
  readonly #hosts = new Map<string, Map<string, number>>()

  constructor(routes: readonly Route[]) {
    for (const [index, { host, path }] of routes.entries()) {
      const key = lower(hostKey(host)).toWellFormed()
      let paths = this.#hosts.get(key)
      if (!paths) {
        paths = new Map()
        this.#hosts.set(key, paths)
      }
      const prefix = pathKey(path).toWellFormed()
      if (paths.has(prefix)) throw new Error(`duplicate route ${host}${path}`)
      paths.set(prefix, index)
    }
  }

  /** The index of the route, or undefined. */
  lookup(host: string, path: string): number | undefined {
    if (host.length > MAX_KEY_BYTES) return undefined
    const query = path.indexOf('?')
    const clean = (query < 0 ? path : path.slice(0, query)).toWellFormed()
    const name = lower(host.endsWith('.') ? host.slice(0, -1) : host).toWellFormed()
    if (name !== '' && !name.startsWith('.')) {
      const exact = prefix(this.#hosts.get(name), clean)
      if (exact !== undefined) return exact
    }
    for (let dot = name.indexOf('.', 1); dot > 0; dot = name.indexOf('.', dot + 1)) {
      const wildcard = prefix(this.#hosts.get(name.slice(dot)), clean)
      if (wildcard !== undefined) return wildcard
    }
    return prefix(this.#hosts.get(''), clean)
  }
}

function prefix(paths: Map<string, number> | undefined, path: string): number | undefined {
  if (!paths) return undefined
  for (let end = path.length; end >= 0; end = end === 0 ? -1 : path.lastIndexOf('/', end - 1)) {
    const found = paths.get(path.slice(0, end))
    if (found !== undefined) return found
  }
  return undefined
}
