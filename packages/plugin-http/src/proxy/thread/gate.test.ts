import { describe, expect, it } from 'vitest'
import { Gate, type Outcome } from './gate.ts'

/** A table whose generation a test moves. */
function tableAt(start: number) {
  let generation = start
  const wakers = new Set<() => void>()
  let watches = 0
  return {
    generation: () => generation,
    waitForChange: async () => {
      watches++
      await new Promise<void>((resolve) => wakers.add(resolve))
      return true
    },
    publish() {
      generation++
      for (const wake of wakers) wake()
      wakers.clear()
    },
    watches: () => watches,
  }
}

const outcome = (gate: Gate, generation: number, timeoutMs = 60_000) =>
  new Promise<Outcome>((resolve) => gate.wait(generation, timeoutMs, resolve))

describe('Gate', () => {
  it('lets all who wait go at a change, with one watch for all', async () => {
    const table = tableAt(1)
    const gate = new Gate(table, 10)
    const waiting = [outcome(gate, 1), outcome(gate, 1)]
    expect(gate.held).toBe(2)
    table.publish()
    expect(await Promise.all(waiting)).toEqual(['changed', 'changed'])
    expect([gate.held, table.watches()]).toEqual([0, 1])
  })

  it('does not hold who has seen an older table', async () => {
    expect(await outcome(new Gate(tableAt(5), 10), 4)).toBe('changed')
  })

  it('ends a wait after its time, at its bound and when it closes', async () => {
    const gate = new Gate(tableAt(1), 1)
    expect(await outcome(gate, 1, 1)).toBe('timeout')
    const held = outcome(gate, 1)
    expect(await outcome(gate, 1)).toBe('full')
    gate.close()
    expect(await held).toBe('closing')
    expect(await outcome(gate, 1)).toBe('closing')
  })

  it('forgets who gives up', async () => {
    const table = tableAt(1)
    const gate = new Gate(table, 1)
    const seen: Outcome[] = []
    gate.wait(1, 60_000, (end) => seen.push(end))()
    const next = outcome(gate, 1)
    table.publish()
    expect(await next).toBe('changed')
    expect(seen).toEqual([])
  })

  it('watches again after everyone has left', async () => {
    const table = tableAt(1)
    const gate = new Gate(table, 10)
    expect(await outcome(gate, 1, 1)).toBe('timeout')
    const second = outcome(gate, 1)
    table.publish()
    expect(await second).toBe('changed')
    const third = outcome(gate, 2)
    table.publish()
    expect(await third).toBe('changed')
  })
})
