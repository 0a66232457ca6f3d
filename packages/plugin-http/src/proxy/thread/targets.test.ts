import { RouteTableReader, RouteTableWriter } from '@kernel/core-wasm'
import { describe, expect, it } from 'vitest'
import { InFlight } from '../in-flight.ts'
import type { RouteValue } from '../messages.ts'
import { Targets } from './targets.ts'

const none: ReadonlySet<number> = new Set()
const at = (slot: number) => ({ id: `t${slot}`, slot, origin: `http://10.0.0.1:${slot + 1}` })

function open(state: RouteValue['state'], slots: number[]) {
  const table = RouteTableWriter.create()
  const inFlight = new InFlight(2)
  inFlight.setReady()
  const publish = (now: RouteValue['state'], targets: number[]) =>
    table.publish([
      { host: 'h', path: '', value: JSON.stringify({ app: 'a', state: now, targets: targets.map(at) }) },
    ])
  publish(state, slots)
  const reader = new RouteTableReader(table.memory, (text) => JSON.parse(text) as RouteValue)
  return { table, inFlight, publish, reader, targets: new Targets(reader, inFlight, 0, 60_000) }
}

const slotOf = (found: ReturnType<Targets['take']>) =>
  found.kind === 'target' ? found.target.slot : found.kind

describe('Targets', () => {
  it('says what there is instead of a target', () => {
    expect(open('up', [1]).targets.take('other', '/', none)).toEqual({ kind: 'unknown', app: '' })
    expect(open('down', [1]).targets.take('h', '/', none)).toEqual({ kind: 'down', app: 'a' })
    expect(open('up', []).targets.take('h', '/', none)).toEqual({ kind: 'down', app: 'a' })
    expect(open('hold', []).targets.take('h', '/', none)).toEqual({ kind: 'wait', app: 'a', generation: 1 })
    expect(open('up', [1]).targets.take('h', '/', new Set([1]))).toEqual({
      kind: 'exhausted',
      app: 'a',
      generation: 1,
    })
  })

  it('takes the least busy one, whoever keeps it busy', () => {
    const { targets, inFlight } = open('up', [1, 2, 3])
    inFlight.enter(1, 1)
    inFlight.enter(1, 1)
    inFlight.enter(1, 3)
    expect(slotOf(targets.take('h', '/', none))).toBe(2)
    expect(inFlight.count(2)).toBe(1)
    expect(slotOf(targets.take('h', '/', new Set([2])))).toBe(3)
  })

  it('passes over what is down, as long as there is another', () => {
    const { targets, inFlight } = open('up', [1, 2])
    targets.markDown(at(1))
    for (let i = 0; i < 5; i++) expect(slotOf(targets.take('h', '/', none))).toBe(2)
    expect(inFlight.count(1)).toBe(0)
    expect(slotOf(targets.take('h', '/', new Set([2])))).toBe(1)
  })

  it('counts nobody for a table that was replaced meanwhile', () => {
    const { targets, inFlight, publish, reader } = open('up', [1])
    // The switch happens at the worst moment: after the look-up, before the count is seen.
    const lookup = reader.lookup.bind(reader)
    let switched = false
    reader.lookup = (host, path) => {
      const hit = lookup(host, path)
      if (!switched) publish('up', [2])
      switched = true
      return hit
    }
    expect(slotOf(targets.take('h', '/', none))).toBe(2)
    expect([inFlight.count(1), inFlight.count(2)]).toEqual([0, 1])
  })
})
