/** What a case is, and short ways to write one. @module */
import type { Call } from './call.ts'

export interface Case extends Omit<Call, 'path' | 'body'> {
  /** As in the API's own list: `/containers/{id}/json`. */
  endpoint: string
  /** What is special about it; empty: it is the plain good call. */
  note: string
  path: string
  body?: unknown
  /** Keeps a field of the answer: name -> field. */
  keep?: Record<string, string>
  /** Bodies are bytes, or differ by nature. */
  ignoreBody?: boolean
  /** The body is a stream of JSON objects, however many they are. */
  stream?: boolean
  /** In place of the version that the run is about. */
  version?: string
}

export const image = 'busybox:e2e'
/** A tar with one file, and a whole image archive, are given as `{tar}` and `{archive}`. */
export type Fixtures = Record<'tar' | 'archive' | 'context', Buffer>

export const notes = {
  unknown: 'unknown name',
  json: 'bad JSON',
  empty: 'no body',
  filter: 'unknown filter',
  badFilter: 'filter is no JSON',
}

/** One line a call: method, endpoint, note, then what differs from the endpoint's own path. */
export function it(
  method: string,
  endpoint: string,
  note: string,
  rest: Partial<Omit<Case, 'method' | 'endpoint' | 'note'>> = {},
): Case {
  return { method, endpoint, note, path: endpoint, ...rest }
}

export const missing = (method: string, endpoint: string, rest: Partial<Case> = {}) =>
  it(method, endpoint, notes.unknown, {
    path: endpoint.replace(/\{(id|name)\}/, 'nobody') + (rest.path ?? ''),
    ...(rest.body !== undefined && { body: rest.body }),
  })

export const create = (note: string, name: string, body: unknown, rest: Partial<Case> = {}) =>
  it('POST', '/containers/create', note, { path: `/containers/create?name=${name}`, body, ...rest })

/** One that is to be refused; its name is its own, in case that it is not. */
export const refused = (note: string, body: unknown) =>
  create(note, note.toLowerCase().replace(/\W+/g, '-'), body)

/** As above, for what a HostConfig can have wrong. */
export const refusedHost = (note: string, HostConfig: object) => refused(note, { ...sleeper, HostConfig })

export const sleeper = { Image: image, Cmd: ['sleep', '600'], Labels: { team: 'a' } }
export const on = (endpoint: string, name: string, query = '') => ({
  path: endpoint.replace(/\{(id|name)\}/, name) + query,
})
export const c = '/containers/{id}'
