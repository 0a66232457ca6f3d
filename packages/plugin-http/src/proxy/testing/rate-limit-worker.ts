/** For the test: a thread that asks as fast as it can, and tells how often it was allowed to. @module */
import { parentPort, workerData } from 'node:worker_threads'
import { RateLimits } from '../policy/rate-limit.ts'

const { memory, seed, clients, requests, limit, nowMs, gate } = workerData
const limits = new RateLimits(memory, seed)
parentPort?.postMessage('ready')
// All begin in the same moment.
Atomics.wait(gate, 0, 0)
const allowed = Array<number>(clients).fill(0)
for (let n = 0; n < requests; n++) {
  const client = n % clients
  if (limits.take('shop', `10.0.0.${client}`, limit, nowMs) === 0) allowed[client]! += 1
}
parentPort?.postMessage(allowed)
