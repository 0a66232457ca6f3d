/**
 * A thread of the concurrency test: looks up without a pause, and checks each hit against its own generation.
 * A value is `<generation>:<host>`; what does not fit is counted and described.
 * @module
 */
import { parentPort, workerData } from 'node:worker_threads'
import { RouteTableReader } from '../route-table-reader.ts'
import type { WasmMemory } from '../webassembly.ts'

const { memory, stop } = workerData as { memory: WasmMemory; stop: Int32Array }
const reader = new RouteTableReader(memory)
let lookups = 0
let hits = 0
let wrong = ''
let latest = 0
const generations = new Set<number>()
parentPort!.postMessage('ready')

while (Atomics.load(stop, 0) === 0 && wrong === '') {
  for (let i = 0; i < 500; i++) {
    const host = `h${(lookups * 7919) % 3000}.example.com`
    const hit = reader.lookup(host, '/a/b/c')
    lookups++
    if (!hit) continue
    hits++
    generations.add(hit.generation)
    if (hit.value !== `${hit.generation}:${host}`) {
      wrong = `${host} gave ${hit.value} in generation ${hit.generation}`
    }
    if (hit.generation < latest) wrong = `generation ${hit.generation} after ${latest}`
    latest = hit.generation
  }
}
parentPort!.postMessage({ lookups, hits, generations: generations.size, wrong })
