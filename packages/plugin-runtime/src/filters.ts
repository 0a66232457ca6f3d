/** The `filters` of the Docker Engine API, as the lists and prunes of every resource understand them. @module */
import { invalid } from '@kernel/contracts'

/** Values of one name are alternatives (but for labels, which all must match), names narrow each other. */
export type Filters = Record<string, string[]>

/** @throws invalid for a name that this list does not know */
export function checkFilters(filters: Filters | undefined, known: readonly string[]): Filters {
  for (const name of Object.keys(filters ?? {})) {
    if (!known.includes(name)) {
      throw invalid(`invalid filter '${name}'`, { hint: `Known here: ${known.join(', ')}` })
    }
  }
  return filters ?? {}
}

/** Whether `value` passes the filter `name`; a filter that is not given lets everything pass. */
export function matches(filters: Filters, name: string, test: (wanted: string) => boolean): boolean {
  const wanted = filters[name]
  return wanted === undefined || wanted.length === 0 || wanted.some(test)
}

/** `label=key`, `label=key=value`, and the opposite by `label!`. */
export function matchesLabels(filters: Filters, labels: Record<string, string> = {}): boolean {
  const has = (wanted: string) => {
    const at = wanted.indexOf('=')
    if (at < 0) return Object.hasOwn(labels, wanted)
    const key = wanted.slice(0, at)
    return Object.hasOwn(labels, key) && labels[key] === wanted.slice(at + 1)
  }
  return (filters.label ?? []).every(has) && !(filters['label!'] ?? []).some(has)
}

/** The one value of a yes-or-no filter. @throws invalid for anything but 1, true, 0, false */
export function booleanFilter(filters: Filters, name: string): boolean | undefined {
  const values = filters[name]
  if (values === undefined || values.length === 0) return undefined
  const bool = (value: string) => {
    if (['1', 't', 'true', 'T', 'True', 'TRUE'].includes(value)) return true
    if (['0', 'f', 'false', 'F', 'False', 'FALSE'].includes(value)) return false
    throw invalid(`invalid filter '${name}=${value}'`, { hint: 'Give true or false' })
  }
  const all = values.map(bool)
  if (new Set(all).size > 1) throw invalid(`invalid filter '${name}': both true and false`)
  return all[0]
}
