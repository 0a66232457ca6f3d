import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { RouteTableError } from './errors.ts'
import type { Route } from './route.ts'
import { RouteTableReader } from './route-table-reader.ts'
import { RouteTableWriter } from './route-table-writer.ts'
import { RouteMap } from './twin/route-map.ts'
import type { WasmMemory } from './webassembly.ts'

function table(routes: Route[]) {
  const writer = RouteTableWriter.create()
  writer.publish(routes)
  const reader = new RouteTableReader(writer.memory)
  return { writer, reader, find: (host: string, path: string) => reader.lookup(host, path)?.value }
}

const all = (...lines: string[]): Route[] =>
  lines.map((line) => {
    const slash = line.indexOf('/')
    const host = slash < 0 ? line : line.slice(0, slash)
    return { host, path: slash < 0 ? '' : line.slice(slash), value: line }
  })

test('an empty table finds nothing, before and after its first publication', () => {
  const writer = RouteTableWriter.create()
  const reader = new RouteTableReader(writer.memory)
  expect(reader.generation()).toBe(0)
  expect(reader.lookup('a.example.com', '/')).toBeUndefined()
  expect(writer.publish([])).toBe(1)
  expect(reader.lookup('', '')).toBeUndefined()
  expect(reader.generation()).toBe(1)
})

test('exact host, then the longest wildcard, then the default host', () => {
  const { find } = table(all('a.b.example.com', '*.b.example.com', '*.example.com', ''))
  expect(find('a.b.example.com', '/')).toBe('a.b.example.com')
  expect(find('A.B.Example.COM.', '/')).toBe('a.b.example.com')
  expect(find('x.y.b.example.com', '/')).toBe('*.b.example.com')
  expect(find('b.example.com', '/')).toBe('*.example.com')
  expect(find('example.com', '/')).toBe('')
  expect(find('.example.com', '/')).toBe('')
  expect(find('', '/')).toBe('')
})

test('the longest path prefix that ends at a slash or at the end', () => {
  const { find } = table(all('h', 'h/api', 'h/api/v1/'))
  expect(find('h', '/')).toBe('h')
  expect(find('h', '/apis')).toBe('h')
  expect(find('h', '/api')).toBe('h/api')
  expect(find('h', '/api?next=/api/v1')).toBe('h/api')
  expect(find('h', '/api/v1/users')).toBe('h/api/v1/')
  expect(find('h', '/api/v1')).toBe('h/api/v1/')
  expect(find('h', `/api/v1/${'x'.repeat(100_000)}`)).toBe('h/api/v1/')
})

test('a host without a fitting path yields to the next one', () => {
  const { find } = table(all('a.example.com/api', '*.example.com/web', '/other'))
  expect(find('a.example.com', '/api')).toBe('a.example.com/api')
  expect(find('a.example.com', '/web')).toBe('*.example.com/web')
  expect(find('a.example.com', '/other')).toBe('/other')
  expect(find('a.example.com', '/')).toBeUndefined()
})

test('a hit is the same object until the next publication', () => {
  const { writer, reader } = table(all('h'))
  const hit = reader.lookup('h', '/')
  expect(hit).toEqual({ index: 0, generation: 1, value: 'h' })
  expect(reader.lookup('h', '/x')).toBe(hit)
  writer.publish([{ host: 'h', path: '', value: new TextEncoder().encode('höher') }])
  expect(reader.lookup('h', '/')).toEqual({ index: 0, generation: 2, value: 'höher' })
})

test('values are decoded once for each publication', () => {
  const writer = RouteTableWriter.create()
  let decoded = 0
  const reader = new RouteTableReader<{ port: number }>(writer.memory, (json) => {
    decoded++
    return JSON.parse(json)
  })
  writer.publish([{ host: 'h', path: '', value: '{"port":80}' }])
  expect(reader.lookup('h', '/')?.value.port).toBe(80)
  expect(reader.lookup('h', '/')?.value.port).toBe(80)
  expect(decoded).toBe(1)
})

test('malformed and doubled routes are refused, and the table stays', () => {
  const { writer, find } = table(all('h'))
  for (const host of ['a/b', '*', '*.', 'a b', '.a', 'a..b', '*.*.a', 'x?']) {
    expect(() => writer.publish([{ host, path: '', value: '' }]), host).toThrow(RouteTableError)
  }
  expect(() => writer.publish([{ host: 'h', path: 'api', value: '' }])).toThrow('not a path prefix')
  expect(() => writer.publish([{ host: 'h', path: `/${'x'.repeat(8192)}`, value: '' }])).toThrow(
    'longer than',
  )
  expect(() => writer.publish(all('h', 'a', '*.H/x', '*.h/x/'))).toThrow('two routes for *.h/x')
  expect(find('h', '/')).toBe('h')
  expect(writer.generation()).toBe(1)
})

test('keys of the full length, and hostile hosts and paths', () => {
  const host = `${'a'.repeat(8180)}.example`
  const path = `/${'p/'.repeat(4095)}`
  const { find } = table([
    { host, path, value: 'long' },
    { host: '*.example', path: '', value: 'wild' },
  ])
  expect(find(host, path)).toBe('long')
  expect(find(host, `${path}x`)).toBe('long')
  expect(find(host, path.slice(0, -2))).toBe('wild')
  expect(find(`${host}s`, path)).toBeUndefined()
  expect(find('a.'.repeat(5000), '/')).toBeUndefined()
  expect(find(`${'.'.repeat(8000)}.example`, '/'.repeat(9000))).toBe('wild')
  expect(find('\ud800š.example', '/\0\uffff')).toBe('wild')
})

test('a table that outgrows its memory moves, and is refused beyond maxBytes', () => {
  const writer = RouteTableWriter.create({ maxBytes: 64 << 20 })
  const reader = new RouteTableReader(writer.memory)
  const routes = (count: number, size: number): Route[] =>
    Array.from({ length: count }, (_, i) => ({ host: `h${i}`, path: '', value: `${i}:`.padEnd(size, 'x') }))
  for (const [count, size] of [
    [10, 10],
    [20_000, 100],
    [5, 5],
    [60_000, 200],
    [60_000, 150],
    [1, 1],
  ] as const) {
    writer.publish(routes(count, size))
    expect(reader.lookup(`h${count - 1}`, '/')?.value).toBe(`${count - 1}:`.padEnd(size, 'x'))
    expect(reader.lookup(`h${count}`, '/')).toBeUndefined()
  }
  expect(() => writer.publish(routes(100_000, 1000))).toThrow('larger maxBytes')
  expect(reader.lookup('h0', '/')?.value).toBe('0:')
})

test('readers are limited, and a dead thread gives its places back', () => {
  const writer = RouteTableWriter.create()
  const readers = Array.from({ length: 64 }, () => new RouteTableReader(writer.memory))
  expect(() => new RouteTableReader(writer.memory)).toThrow('close()')
  readers[5]!.close()
  expect(new RouteTableReader(writer.memory).generation()).toBe(0)
  writer.releaseThread(0)
  expect(new RouteTableReader(writer.memory).generation()).toBe(0)
  expect(
    () => new RouteTableReader({ buffer: new SharedArrayBuffer(65536), grow: () => 0 } as WasmMemory),
  ).toThrow()
})

test('waiting for a change', async () => {
  const { writer, reader } = table(all('h'))
  expect(await reader.waitForChange(0, 10_000)).toBe(true)
  expect(await reader.waitForChange(1, 1)).toBe(false)
  const change = reader.waitForChange(1, 10_000)
  writer.publish([])
  expect(await change).toBe(true)
})

const label = fc.constantFrom('a', 'b', 'C', 'é', 'š', 'aa')
const host = fc.array(fc.oneof(label, { arbitrary: fc.constant(''), weight: 1 }), { maxLength: 5 })
const path = fc.array(label, { maxLength: 5 }).map((parts) => parts.map((part) => `/${part}`).join(''))
const route = fc.record({
  host: fc
    .tuple(fc.boolean(), fc.array(label, { maxLength: 3 }))
    .map(([wild, labels]) => (wild && labels.length ? ['*', ...labels] : labels).join('.')),
  path,
})
const hostile = fc.string({ unit: 'binary', maxLength: 40 })

test('random tables give the answers of the Map twin', () => {
  const writer = RouteTableWriter.create()
  const reader = new RouteTableReader(writer.memory)
  fc.assert(
    fc.property(
      fc.uniqueArray(route, { maxLength: 30, selector: (r) => `${r.host} ${r.path}`.toLowerCase() }),
      fc.array(
        fc.tuple(
          fc.oneof(
            host.map((labels) => labels.join('.')),
            hostile,
          ),
          fc.oneof(path, hostile),
        ),
        { maxLength: 30 },
      ),
      (lines, queries) => {
        const routes = lines.map((line, i) => ({ ...line, value: `v${i}` }))
        const twin = new RouteMap(routes)
        writer.publish(routes)
        for (const [h, p] of [...queries, ...lines.map((line) => [line.host, `${line.path}/x`] as const)]) {
          const hit = reader.lookup(h, p)
          expect(hit?.index).toBe(twin.lookup(h, p))
          if (hit) expect(hit.value).toBe(`v${hit.index}`)
        }
      },
    ),
    { numRuns: 1000 },
  )
})

test('the module carries no data that an instantiation would write over shared memory', () => {
  const bytes = readFileSync(new URL('../build/routes.wasm', import.meta.url))
  const sections: number[] = []
  for (let at = 8; at < bytes.length; ) {
    sections.push(bytes[at++]!)
    let size = 0
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++]!
      size |= (byte & 0x7f) << shift
      if (byte < 0x80) break
    }
    at += size
  }
  expect(sections).toContain(10) // code
  expect(sections).not.toContain(11) // data
})

test('threads that look up during publications see whole tables, in order', async () => {
  const writer = RouteTableWriter.create()
  const stop = new Int32Array(new SharedArrayBuffer(4))
  const workers = [1, 2, 3].map(
    () =>
      new Worker(new URL('./twin/lookup-worker.ts', import.meta.url), {
        workerData: { memory: writer.memory, stop },
        execArgv: ['--conditions=source'],
      }),
  )
  await Promise.all(workers.map((worker) => once(worker, 'message')))
  const reports = workers.map((worker) => once(worker, 'message'))
  for (let round = 1; round <= 400; round++) {
    const count = (round * 997) % 3000
    writer.publish(
      Array.from({ length: count }, (_, i) => ({
        host: `h${i}.example.com`,
        path: i % 2 ? '/a' : '',
        value: `${round}:h${i}.example.com`,
      })),
    )
    if (round % 8 === 0) await new Promise(setImmediate)
  }
  Atomics.store(stop, 0, 1)
  for (const [report] of await Promise.all(reports)) {
    expect(report.wrong).toBe('')
    expect(report.hits).toBeGreaterThan(0)
    expect(report.generations).toBeGreaterThan(1)
  }
})
