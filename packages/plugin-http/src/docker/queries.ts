import { invalid } from '@kernel/contracts'
import type { DockerContext } from './types.ts'

/** A query as dockerd reads it (httputils.BoolValue): all but these few words is true. */
export function boolQuery(context: DockerContext, name: string, otherwise = false): boolean {
  const value = context.req.query(name)
  if (value === undefined) return otherwise
  return !['', '0', 'no', 'false', 'none'].includes(value.trim().toLowerCase())
}

/** @throws invalid in Go's words */
export function intQuery(context: DockerContext, name: string): number | undefined {
  const value = context.req.query(name)
  if (value === undefined || value === '') return undefined
  if (!/^[+-]?\d{1,15}$/.test(value)) throw invalid(`strconv.Atoi: parsing "${value}": invalid syntax`)
  return Number(value)
}

/** The part of the path behind `{id}` or `{name}`; old clients put the name's own slash before it. */
export function pathName(context: DockerContext, parameter = 'id'): string {
  return (context.req.param(parameter) ?? '').replace(/^\/+/, '')
}

/** A query that holds a JSON object of texts (`buildargs`, `labels`); values of null are left out. */
export function mapQuery(context: DockerContext, name: string): Record<string, string> | undefined {
  const value = context.req.query(name)
  if (value === undefined || value === '') return undefined
  let parsed: unknown
  try {
    parsed = JSON.parse(value)
  } catch (error) {
    throw invalid(`error reading ${name}: ${(error as Error).message}`, { cause: error })
  }
  if (parsed === null) return undefined
  if (typeof parsed !== 'object' || Array.isArray(parsed))
    throw invalid(`error reading ${name}: it is no JSON object`)
  const entries = Object.entries(parsed).filter(([, entry]) => entry !== null)
  return Object.fromEntries(entries.map(([key, entry]) => [key, String(entry)]))
}

/** Instructions in `changes`, which may come several times and have several lines each. */
export function changeLines(context: DockerContext): string[] {
  return (context.req.queries('changes') ?? []).flatMap((text) => text.split(/\r?\n/))
}
