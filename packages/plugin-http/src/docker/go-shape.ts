import { invalid } from '@kernel/contracts'

/**
 * Reads a parsed JSON value as Go's encoding/json fills a struct: names match without regard to case, unknown
 * fields are dropped, `null` is as if the field were not there. What comes out has the canonical names.
 */
export type Shape<T> = (value: unknown, path: string) => T

/** What a shape makes: no field is there for certain. */
export type Shaped<S> = S extends Shape<infer T> ? T : never

function mismatch(value: unknown, path: string, type: string): never {
  const found = Array.isArray(value) ? 'array' : typeof value === 'bigint' ? 'number' : typeof value
  throw invalid(`invalid JSON: json: cannot unmarshal ${found} into Go struct field ${path} of type ${type}`)
}

export const text: Shape<string> = (value, path) =>
  typeof value === 'string' ? value : mismatch(value, path, 'string')

export const bool: Shape<boolean> = (value, path) =>
  typeof value === 'boolean' ? value : mismatch(value, path, 'bool')

/** The largest double below 2^63: what int64's own maximum (used for "unlimited") is nearest to. */
const largestInt64 = 2 ** 63 - 1024

export const int: Shape<number> = (value, path) => {
  if (typeof value === 'bigint') {
    if (BigInt.asIntN(64, value) !== value) mismatch(value, path, 'int64')
    return Math.max(-largestInt64, Math.min(largestInt64, Number(value)))
  }
  return Number.isInteger(value) ? (value as number) : mismatch(value, path, 'int64')
}

/** Whatever it is, kept as it came; big integers as near as a number gets. */
export const anything: Shape<unknown> = (value, path) => {
  if (typeof value === 'bigint') return int(value, path)
  if (Array.isArray(value)) return value.map((item) => anything(item, path))
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, anything(item, path)]))
  return value
}

/** `{}`: the value of Go's sets. */
export const empty: Shape<Record<string, never>> = (value, path) =>
  typeof value === 'object' && value !== null ? {} : mismatch(value, path, 'struct {}')

export const list =
  <T>(item: Shape<T>): Shape<T[]> =>
  (value, path) =>
    Array.isArray(value) ? value.map((entry) => item(entry, path)) : mismatch(value, path, '[]string')

/** A command: a list, or one text (strslice.StrSlice). */
export const argv: Shape<string[]> = (value, path) =>
  typeof value === 'string' ? [value] : list(text)(value, path)

export const map =
  <T>(item: Shape<T>): Shape<Record<string, T>> =>
  (value, path) => {
    if (!isObject(value)) mismatch(value, path, 'map[string]')
    const entries = Object.entries(value).filter(([, entry]) => entry !== null)
    return Object.fromEntries(entries.map(([key, entry]) => [key, item(entry, `${path}.${key}`)]))
  }

/** A field where null means something else than being absent. */
export const nullable = <T>(item: Shape<T>): Shape<T | null> =>
  Object.assign((value: unknown, path: string) => (value === null ? null : item(value, path)), {
    keepsNull: true,
  })

type Fields = Record<string, Shape<unknown>>
type FromFields<F extends Fields> = { [K in keyof F]?: Shaped<F[K]> }

/** A struct of known fields. `rest: 'keep'` keeps the unknown ones as they came. */
export function struct<F extends Fields>(fields: F, options: { rest?: 'keep' } = {}): Shape<FromFields<F>> {
  const canonical = new Map(Object.keys(fields).map((name) => [name.toLowerCase(), name]))
  return (value, path) => {
    if (!isObject(value)) mismatch(value, path, 'struct')
    const out: [string, unknown][] = []
    for (const [key, entry] of Object.entries(value)) {
      const name = canonical.get(key.toLowerCase())
      const at = path === '' ? (name ?? key) : `${path}.${name ?? key}`
      if (name === undefined) {
        if (options.rest === 'keep') out.push([key, anything(entry, at)])
        continue
      }
      const shape = fields[name] as Shape<unknown>
      if (entry !== null || 'keepsNull' in shape) out.push([name, shape(entry, at)])
    }
    return Object.fromEntries(out) as FromFields<F>
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
