import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { KernelError } from './errors.ts'
import { arrange, type Candidate, sortByDependency } from './graph.ts'
import { definePlugin } from './plugin.ts'
import { defineService } from './service.ts'

describe('sortByDependency', () => {
  /** A graph over 0..n-1 whose edges point from a node to what it depends on. */
  const graphs = fc.integer({ min: 1, max: 12 }).chain((size) =>
    fc.record({
      nodes: fc.constant(Array.from({ length: size }, (_, index) => index)),
      edges: fc.array(fc.tuple(fc.nat(size - 1), fc.nat(size - 1)), { maxLength: 20 }),
    }),
  )
  const dependsOn = (edges: [number, number][]) => (node: number) =>
    edges.filter(([from]) => from === node).map(([, to]) => to)

  test('puts everything after what it depends on, or shows a true cycle', () => {
    fc.assert(
      fc.property(graphs, ({ nodes, edges }) => {
        const { sorted, cycle } = sortByDependency(nodes, dependsOn(edges))
        expect(new Set(sorted).size).toBe(sorted.length)
        for (const [from, to] of edges) {
          if (sorted.includes(from)) expect(sorted.slice(0, sorted.indexOf(from))).toContain(to)
        }
        if (cycle === undefined) expect(sorted.toSorted((a, b) => a - b)).toEqual(nodes)
        else {
          const steps = cycle.map((node, index) => [node, cycle[(index + 1) % cycle.length]])
          for (const step of steps) expect(edges).toContainEqual(step)
        }
      }),
    )
  })

  test('finds a cycle exactly where edges cannot all point back', () => {
    fc.assert(
      fc.property(graphs, ({ nodes, edges }) => {
        const downhill = edges.filter(([from, to]) => from > to)
        expect(sortByDependency(nodes, dependsOn(downhill)).cycle).toBeUndefined()
      }),
    )
  })

  test('keeps the given order where nothing speaks against it', () => {
    fc.assert(
      fc.property(graphs, ({ nodes, edges }) => {
        const backward = edges.filter(([from, to]) => from > to)
        expect(sortByDependency(nodes, dependsOn(backward)).sorted).toEqual(nodes)
      }),
    )
  })
})

describe('arrange', () => {
  type Shape = { requires?: string[]; optional?: string[]; provides?: string[]; firstParty?: boolean }
  const tokens = (names: string[] = []) => names.map((name) => defineService<unknown>(name))
  const candidate = (
    name: string,
    { requires, optional, provides, firstParty = false }: Shape = {},
  ): Candidate => ({
    firstParty,
    plugin: definePlugin({
      name,
      version: '1.0.0',
      kernel: '^1',
      requires: tokens(requires),
      optional: tokens(optional),
      provides: tokens(provides),
      setup() {},
    }),
  })
  const run = (...candidates: Candidate[]) => {
    const refused: [string, string, string][] = []
    const order = arrange(candidates, ({ plugin }, { code, message }: KernelError) =>
      refused.push([plugin.name, code, message]),
    )
    return { order: order.map(({ plugin }) => plugin.name), refused }
  }

  test('starts providers first, also those of optional services', () => {
    const { order, refused } = run(
      candidate('c', { requires: ['b'] }),
      candidate('b', { optional: ['a', 'absent'], provides: ['b'] }),
      candidate('a', { provides: ['a'] }),
    )
    expect(order).toEqual(['a', 'b', 'c'])
    expect(refused).toEqual([])
  })

  test('refuses a plugin with a missing service, and then its dependents', () => {
    const { order, refused } = run(
      candidate('a', { requires: ['x', 'y'], provides: ['a'] }),
      candidate('b', { requires: ['a'], provides: ['b'] }),
      candidate('c', { optional: ['b'] }),
    )
    expect(order).toEqual(['c'])
    expect(refused).toEqual([
      ['a', 'SERVICE_MISSING', expect.stringContaining('"x", "y"')],
      ['b', 'SERVICE_MISSING', expect.stringContaining('"a"')],
    ])
  })

  test('prints the path of a cycle and refuses its third-party member', () => {
    const { order, refused } = run(
      candidate('a', { requires: ['c'], provides: ['a'], firstParty: true }),
      candidate('b', { requires: ['a'], provides: ['b'] }),
      candidate('c', { optional: ['b'], provides: ['c'], firstParty: true }),
    )
    expect(order).toEqual(['c', 'a'])
    expect(refused).toEqual([['b', 'DEPENDENCY_CYCLE', expect.stringContaining('a -> c -> b -> a')]])
  })

  test('refuses the first of a cycle that is all first-party', () => {
    const { refused } = run(candidate('self', { requires: ['s'], provides: ['s'], firstParty: true }))
    expect(refused).toEqual([['self', 'DEPENDENCY_CYCLE', expect.stringContaining('self -> self')]])
  })

  test('of two rivals the third-party one gives way, else the later', () => {
    const third = run(
      candidate('b', { provides: ['s'] }),
      candidate('a', { provides: ['s'], firstParty: true }),
    )
    expect(third.refused).toEqual([
      ['b', 'SERVICE_DUPLICATE', expect.stringContaining('plugin "a" already does')],
    ])
    const later = run(candidate('a'), candidate('a'))
    expect(later.refused).toEqual([['a', 'PLUGIN_DUPLICATE', expect.any(String)]])
    expect(later.order).toEqual(['a'])
  })
})
