/**
 * The edge beside nginx, haproxy and caddy: each on one core of its own with the same upstream, wrk for the most
 * they can do, a fixed rate for their latency; medians of three rounds in which all take turns. Bars: 1.5 times
 * caddy, nginx's p99 times 1.5 at equal load; the ratio to nginx is printed (target 0.7).
 *
 * Run: pnpm --filter @kernel/test bench:edge
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { median } from '../statistics.ts'
import type { Latencies } from './fixed-rate.ts'
import { LOAD_CORE, type Peer, startPeers, startUpstream, stop, UPSTREAM_PORT } from './peers.ts'

const ROUNDS = 3
const SECONDS = 4
const CONNECTIONS = 64

/** Requests go round all hosts. */
function script(dir: string, routes: number): string {
  const file = join(dir, 'hosts.lua')
  writeFileSync(
    file,
    `local requests = {}
local n = 0
init = function()
  for i = 1, 1024 do
    requests[i] = wrk.format("GET", "/", { Host = "r" .. math.floor((i - 1) * ${routes} / 1024) .. ".test" })
  end
end
request = function()
  n = n % 1024 + 1
  return requests[n]
end
`,
  )
  return file
}

function wrk(port: number, file: string): number {
  const args = ['-c', LOAD_CORE, 'wrk', '-t1', `-c${CONNECTIONS}`, `-d${SECONDS}`, '-s', file]
  const out = execFileSync('taskset', [...args, `http://127.0.0.1:${port}/`], { encoding: 'utf8' })
  const wrong = /Non-2xx or 3xx responses: (\d+)/.exec(out)?.[1]
  const errors = /Socket errors: (.*)/.exec(out)?.[1]
  if (wrong !== undefined || errors !== undefined)
    throw new Error(`${wrong ?? 0} wrong answers; ${errors ?? ''}`)
  return Number(/Requests\/sec:\s+([\d.]+)/.exec(out)?.[1])
}

function fixedRate(port: number, routes: number, perSecond: number, connections = CONNECTIONS): Latencies {
  const file = fileURLToPath(new URL('./fixed-rate.ts', import.meta.url))
  const args = [port, connections, perSecond, SECONDS, routes].map(String)
  const out = execFileSync('taskset', ['-c', LOAD_CORE, process.execPath, file, ...args], {
    encoding: 'utf8',
  })
  return JSON.parse(out) as Latencies
}

export async function benchEdge(): Promise<void> {
  if (spawnSync('wrk', ['-v']).error || spawnSync('nginx', ['-v']).error) {
    console.log('The edge: left out, since wrk or nginx is not installed')
    return
  }
  const dir = mkdtempSync(join(tmpdir(), 'bench-edge-'))
  const upstream = await startUpstream(dir)
  try {
    for (const routes of [10, 10_000]) {
      const hosts = Array.from({ length: routes }, (_, i) => `r${i}.test`)
      const peers = await startPeers(dir, hosts)
      try {
        compare(peers, routes, script(dir, routes))
      } finally {
        await stop(peers)
      }
    }
  } finally {
    await stop([upstream])
    rmSync(dir, { recursive: true, force: true })
  }
}

function compare(peers: Peer[], routes: number, file: string): void {
  const rates = new Map(peers.map(({ name }) => [name, [] as number[]]))
  for (let round = -1; round < ROUNDS; round++)
    for (const { name, port } of round % 2 === 0 ? peers : peers.toReversed()) {
      const rate = wrk(port, file)
      // The first round warms up.
      if (round >= 0) rates.get(name)!.push(rate)
    }
  const most = (name: string) => (rates.has(name) ? median(rates.get(name)!) : Number.NaN)
  const half = Math.round(most('kernel') / 2)
  const latencies = new Map(peers.map(({ name }) => [name, [] as Latencies[]]))
  const direct: number[] = []
  for (let round = -1; round < ROUNDS; round++) {
    const straight = fixedRate(UPSTREAM_PORT, routes, half)
    if (round >= 0) direct.push(straight.p50)
    for (const { name, port } of round % 2 === 0 ? peers : peers.toReversed()) {
      const found = fixedRate(port, routes, half)
      if (round >= 0) latencies.get(name)!.push(found)
    }
  }
  const of = (name: string, key: 'p50' | 'p99') => median((latencies.get(name) ?? []).map((l) => l[key]))

  console.log(`\nThe edge, ${routes} routes, ${CONNECTIONS} connections, one core; at half load: ${half}/s`)
  for (const { name } of peers) {
    const failed = latencies.get(name)!.reduce((sum, l) => sum + l.failed, 0)
    console.log(
      `  ${name.padEnd(8)} ${most(name).toFixed(0).padStart(7)}/s (${rates
        .get(name)!
        .map((r) => r.toFixed(0))
        .join(', ')})` +
        `  at half load p50 ${of(name, 'p50').toFixed(2)} ms, p99 ${of(name, 'p99').toFixed(2)} ms (${latencies
          .get(name)!
          .map((l) => l.p99.toFixed(1))
          .join(', ')})` +
        `, added ${((of(name, 'p50') - median(direct)) * 1000).toFixed(0)} us${failed ? `, ${failed} FAILED` : ''}`,
    )
  }
  const ratio = (peer: string) => (most('kernel') / most(peer)).toFixed(2)
  console.log(`  kernel / caddy ${ratio('caddy')} (bar 1.5), kernel / nginx ${ratio('nginx')} (target 0.7)`)
  console.log(`  p99 kernel / nginx ${(of('kernel', 'p99') / of('nginx', 'p99')).toFixed(2)} (bar 1.5)`)
}

if (import.meta.main) await benchEdge()
