import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Collection, collection, RecordError } from './collection.ts'
import { openDatabase } from './open-database.ts'

type Step = { do: 'put' | 'delete' | 'update' | 'clear'; key: string; value: fc.JsonValue }

const key = fc.oneof(
  fc.constantFrom('a', 'ab', 'abc', 'b', ''),
  fc.string({ unit: 'binary', maxLength: 4 }).filter((text) => !text.includes('\0')),
)
const step: fc.Arbitrary<Step> = fc.record({
  do: fc.constantFrom('put', 'put', 'delete', 'update', 'clear'),
  key,
  value: fc.jsonValue({ maxDepth: 2 }),
})

/** JSON has no -0. */
const plain = (value: fc.JsonValue) => JSON.parse(JSON.stringify(value))

function apply(store: Collection<fc.JsonValue>, model: Map<string, fc.JsonValue>, step: Step): void {
  if (step.do === 'put') {
    expect(store.put(step.key, step.value)).toEqual(plain(step.value))
    model.set(step.key, plain(step.value))
  } else if (step.do === 'delete') {
    expect(store.delete(step.key)).toBe(model.delete(step.key))
  } else if (step.do === 'clear') {
    store.clear()
    model.clear()
  } else {
    const next = model.has(step.key) ? undefined : plain(step.value)
    expect(store.update(step.key, (current) => (current === undefined ? step.value : undefined))).toEqual(
      next,
    )
    if (next === undefined) model.delete(step.key)
    else model.set(step.key, next)
  }
}

describe('collection', () => {
  it('behaves as a Map that sorts its keys by bytes', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), key, (steps, prefix) => {
        using db = openDatabase(':memory:')
        const store = collection<fc.JsonValue>(db, 'things')
        const model = new Map<string, fc.JsonValue>()
        for (const one of steps) apply(store, model, one)
        const sorted = [...model].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
        expect(store.entries()).toEqual(sorted)
        expect(store.size).toBe(model.size)
        const chosen = sorted.filter(([name]) => name.startsWith(prefix))
        expect(store.keys(prefix)).toEqual(chosen.map(([name]) => name))
        expect(store.list(prefix)).toEqual(chosen.map(([, value]) => value))
        expect(store.get(prefix)).toEqual(model.get(prefix))
        expect(store.has(prefix)).toBe(model.has(prefix))
      }),
      { numRuns: 200 },
    )
  })

  it('keeps collections of one database apart, and finds them again', () => {
    using db = openDatabase(':memory:')
    collection(db, 'one').put('k', 1)
    collection(db, 'two').put('k', 2)
    expect(collection(db, 'one').list()).toEqual([1])
  })

  it('checks with the schema when writing and when reading', () => {
    using db = openDatabase(':memory:')
    const parse = (value: unknown) => {
      if (typeof value !== 'number') throw new Error('expected a number')
      return value
    }
    const numbers = collection(db, 'numbers', { schema: { parse } })
    expect(numbers.put('a', 1)).toBe(1)
    expect(() => numbers.put('b', 'x' as unknown as number)).toThrow(RecordError)
    collection(db, 'numbers').put('a', 'changed by an older version')
    expect(() => numbers.get('a')).toThrow(/record "a" of collection numbers: expected a number/)
  })

  it('rolls back with the transaction around it', () => {
    using db = openDatabase(':memory:')
    const store = collection<number>(db, 'counts')
    store.put('a', 1)
    expect(() =>
      db.transaction(() => {
        store.update('a', (n) => (n ?? 0) + 1)
        throw new Error('no')
      }),
    ).toThrow('no')
    expect(store.get('a')).toBe(1)
  })

  it('notes when a record was written', () => {
    using db = openDatabase(':memory:')
    const store = collection<number>(db, 'counts')
    const before = Date.now()
    store.put('a', 1)
    expect(store.updated('a')).toBeGreaterThanOrEqual(before)
    expect(store.updated('b')).toBeUndefined()
  })

  it.each(['a\0b', 'half a pair \ud800'])('refuses a key that would not come back: %j', (bad) => {
    using db = openDatabase(':memory:')
    expect(() => collection(db, 'keys').put(bad, 1)).toThrow(TypeError)
  })

  it.each(['', 'Upper', 'quote"', '1st', 'a b'])('refuses the name %j', (name) => {
    using db = openDatabase(':memory:')
    expect(() => collection(db, name)).toThrow(TypeError)
  })

  it('refuses what JSON cannot say at all', () => {
    using db = openDatabase(':memory:')
    expect(() => collection<unknown>(db, 'any').put('a', undefined)).toThrow(RecordError)
    expect(() => collection<unknown>(db, 'any').put('a', 1n)).toThrow(RecordError)
  })
})
