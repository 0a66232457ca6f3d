import { type ErrorCode, KernelError } from './errors.ts'
import type { Plugin } from './plugin.ts'

/**
 * Sorts so that everything comes after what it depends on, and else as near to the given order as that allows.
 * Where there is a cycle, `cycle` is its path (the last depends on the first) and `sorted` what could be sorted.
 *
 * @param dependsOn members of `nodes` only.
 */
export function sortByDependency<T>(nodes: readonly T[], dependsOn: (node: T) => readonly T[]) {
  const sorted = new Set<T>()
  const needs = new Map(nodes.map((node) => [node, dependsOn(node)]))
  const blockerOf = (node: T) => needs.get(node)?.find((need) => !sorted.has(need))
  while (sorted.size < needs.size) {
    const waiting = nodes.filter((node) => !sorted.has(node))
    const free = waiting.find((node) => blockerOf(node) === undefined)
    if (free === undefined) return { sorted: [...sorted], cycle: followToCycle(waiting[0] as T, blockerOf) }
    sorted.add(free)
  }
  return { sorted: [...sorted], cycle: undefined }
}

/** Follows blockers until one comes again: everything that waits has one, so this ends. */
function followToCycle<T>(start: T, blockerOf: (node: T) => T | undefined): T[] {
  const path: T[] = []
  for (let node = start; ; node = blockerOf(node) as T) {
    if (path.includes(node)) return path.slice(path.indexOf(node))
    path.push(node)
  }
}

/** What of a plugin in the kernel decides about its place. */
export interface Candidate {
  readonly plugin: Plugin
  readonly firstParty: boolean
}

/**
 * The order to start plugins in. A plugin that cannot take part is given to `refuse`, which throws where that is
 * fatal; else it is left out and, one after the other, so are those that require it.
 */
export function arrange<C extends Candidate>(
  all: readonly C[],
  refuse: (from: C, error: KernelError) => void,
): C[] {
  let left = all
  for (;;) {
    const { sorted, cycle } = sortByDependency(left, ({ plugin: { requires, optional } }) => {
      const needs = namesOf([...requires, ...optional])
      return left.filter(({ plugin }) => namesOf(plugin.provides).some((name) => needs.includes(name)))
    })
    const [problem] = [...conflicts(left), ...(cycle ? [describeCycle(cycle)] : [])]
    if (problem === undefined) return sorted
    const [refused, code, what] = problem
    const { name } = refused.plugin
    refuse(refused, new KernelError(code, `Plugin "${name}" ${what}`, { plugin: name }))
    left = left.filter((candidate) => candidate !== refused)
  }
}

type Problem<C> = [candidate: C, code: ErrorCode, what: string]
const namesOf = (named: readonly { name: string }[]) => named.map(({ name }) => name)

/** Of two rivals the third-party one gives way to the first-party one, else the later to the earlier. */
function* conflicts<C extends Candidate>(candidates: readonly C[]): Generator<Problem<C>> {
  const owners = new Map<string, string>()
  for (const candidate of candidates.toSorted((a, b) => Number(b.firstParty) - Number(a.firstParty))) {
    const { name, provides } = candidate.plugin
    if ([...owners.values()].includes(name))
      yield [candidate, 'PLUGIN_DUPLICATE', 'is there twice. Remove one.']
    owners.set(`plugin ${name}`, name)
    for (const service of namesOf(provides)) {
      const owner = owners.get(`service ${service}`)
      const what = `provides service "${service}", but plugin "${owner}" already does. Remove one.`
      if (owner !== undefined) yield [candidate, 'SERVICE_DUPLICATE', what]
      owners.set(`service ${service}`, name)
    }
  }
  for (const candidate of candidates) {
    const missing = namesOf(candidate.plugin.requires).filter((name) => !owners.has(`service ${name}`))
    const what = `requires what no enabled plugin provides: "${missing.join('", "')}". Add or repair one that does.`
    if (missing.length > 0) yield [candidate, 'SERVICE_MISSING', what]
  }
}

function describeCycle<C extends Candidate>(cycle: readonly C[]): Problem<C> {
  const path = namesOf([...cycle, ...cycle.slice(0, 1)].map(({ plugin }) => plugin)).join(' -> ')
  const refused = cycle.find(({ firstParty }) => !firstParty) ?? (cycle[0] as C)
  return [
    refused,
    'DEPENDENCY_CYCLE',
    `is in a circle of requirements, so none of it can start first: ${path}`,
  ]
}
