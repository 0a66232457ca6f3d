/**
 * Which plugin comes first: a stable dependency sort, and what stands in its way.
 *
 * @module
 */
import { KernelError } from './errors.ts'
import type { Plugin } from './plugin.ts'

/**
 * Sorts so that everything comes after what it depends on, and otherwise as near to the given order as that
 * allows. Where there is a cycle, `cycle` has its path (the last depends on the first) and `sorted` what came
 * before it.
 *
 * @param dependsOn members of `nodes` only.
 */
export function sortByDependency<T>(
  nodes: readonly T[],
  dependsOn: (node: T) => readonly T[],
): { sorted: T[]; cycle?: T[] } {
  const sorted = new Set<T>()
  const waiting = new Map(nodes.map((node) => [node, dependsOn(node)]))
  const blockerOf = (node: T) => waiting.get(node)?.find((dependency) => !sorted.has(dependency))
  while (waiting.size > 0) {
    const free = nodes.find((node) => waiting.has(node) && blockerOf(node) === undefined)
    if (free === undefined)
      return {
        sorted: [...sorted],
        cycle: cycleAmong(nodes.find((node) => !sorted.has(node)) as T, blockerOf),
      }
    sorted.add(free)
    waiting.delete(free)
  }
  return { sorted: [...sorted] }
}

/** Follows blockers until one comes again: every node that waits has one, so this ends. */
function cycleAmong<T>(start: T, blockerOf: (node: T) => T | undefined): T[] {
  const path: T[] = []
  let node = start
  while (!path.includes(node)) {
    path.push(node)
    node = blockerOf(node) as T
  }
  return path.slice(path.indexOf(node))
}

/** The part of a plugin's entry in the kernel that decides about its place. */
export interface Candidate {
  readonly plugin: Plugin
  readonly firstParty: boolean
}

/**
 * The order to start plugins in. A plugin that cannot take part is given to `refuse`, which throws where that is
 * fatal; otherwise the plugin is left out, and with it, one after the other, those that required it.
 */
export function arrange<C extends Candidate>(
  candidates: readonly C[],
  refuse: (candidate: C, error: KernelError) => void,
): C[] {
  let left = candidates
  for (;;) {
    const { sorted, cycle } = sortByDependency(left, ({ plugin }) => providersFor(plugin, left))
    const problem = findRivals(left) ?? findMissing(left) ?? (cycle && describeCycle(cycle))
    if (problem === undefined) return sorted
    refuse(problem.candidate, problem.error)
    left = left.filter((candidate) => candidate !== problem.candidate)
  }
}

interface Problem<C> {
  candidate: C
  error: KernelError
}

const namesOf = (tokens: readonly { name: string }[]) => tokens.map(({ name }) => name)

function providersFor<C extends Candidate>({ requires, optional }: Plugin, among: readonly C[]): C[] {
  const wanted = new Set(namesOf([...requires, ...optional]))
  return among.filter(({ plugin }) => plugin.provides.some(({ name }) => wanted.has(name)))
}

/** A third-party plugin gives way before a first-party one, a later before an earlier. */
function findRivals<C extends Candidate>(candidates: readonly C[]): Problem<C> | undefined {
  const owners = new Map<string, C>()
  for (const candidate of [...candidates].sort((a, b) => Number(b.firstParty) - Number(a.firstParty))) {
    const { name: plugin, provides } = candidate.plugin
    if (owners.has(`plugin ${plugin}`)) {
      const error = new KernelError('PLUGIN_DUPLICATE', `There are two plugins "${plugin}". Remove one.`, {
        plugin,
      })
      return { candidate, error }
    }
    owners.set(`plugin ${plugin}`, candidate)
    for (const service of namesOf(provides)) {
      const owner = owners.get(`service ${service}`)?.plugin.name
      if (owner !== undefined) {
        const message = `Plugin "${plugin}" provides service "${service}", but plugin "${owner}" already does. Remove one.`
        return { candidate, error: new KernelError('SERVICE_DUPLICATE', message, { plugin }) }
      }
      owners.set(`service ${service}`, candidate)
    }
  }
  return undefined
}

function findMissing<C extends Candidate>(candidates: readonly C[]): Problem<C> | undefined {
  const provided = new Set(candidates.flatMap(({ plugin }) => namesOf(plugin.provides)))
  for (const candidate of candidates) {
    const { name: plugin, requires } = candidate.plugin
    const missing = namesOf(requires).filter((name) => !provided.has(name))
    if (missing.length > 0) {
      const list = missing.map((name) => `"${name}"`).join(', ')
      const message = `Plugin "${plugin}" requires what no enabled plugin provides: ${list}. Add or repair a plugin that does.`
      return { candidate, error: new KernelError('SERVICE_MISSING', message, { plugin }) }
    }
  }
  return undefined
}

function describeCycle<C extends Candidate>(cycle: readonly C[]): Problem<C> {
  const candidate = (cycle.find(({ firstParty }) => !firstParty) ?? cycle[0]) as C
  const path = namesOf([...cycle, cycle[0] as C].map(({ plugin }) => plugin)).join(' -> ')
  const message = `Plugins require each other in a circle, so none can start first: ${path}`
  return { candidate, error: new KernelError('DEPENDENCY_CYCLE', message, { plugin: candidate.plugin.name }) }
}
