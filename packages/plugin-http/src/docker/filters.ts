import { invalid } from '@kernel/contracts'
import type { DockerContext } from './types.ts'

export type Filters = Record<string, string[]>

/**
 * The query `filters`: JSON of map[string][]string, or of map[string]map[string]bool as clients before 1.22
 * send it.
 * @throws invalid
 */
export function parseFilters(text: string | undefined): Filters {
  if (text === undefined || text === '') return {}
  const parsed = parse(text)
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    throw invalid('invalid filter: it is no JSON object')
  return Object.fromEntries(Object.entries(parsed).map(([name, values]) => [name, valuesOf(name, values)]))
}

export function queryFilters(context: DockerContext): Filters {
  return parseFilters(context.req.query('filters'))
}

/** @throws invalid in dockerd's words where a filter is not among `known` */
export function assertKnown(filters: Filters, known: readonly string[]): void {
  const unknown = Object.keys(filters).find((name) => !known.includes(name))
  if (unknown !== undefined) throw invalid(`invalid filter '${unknown}'`)
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw invalid(`invalid filter: ${(error as Error).message}`, { cause: error })
  }
}

function valuesOf(name: string, values: unknown): string[] {
  if (Array.isArray(values) && values.every((value) => typeof value === 'string')) return values
  if (typeof values === 'object' && values !== null && !Array.isArray(values))
    return Object.entries(values).flatMap(([value, wanted]) => (wanted ? [value] : []))
  throw invalid(`invalid filter '${name}': it is no list of texts`)
}
