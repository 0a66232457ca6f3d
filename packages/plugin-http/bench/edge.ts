/**
 * How much the edge costs: requests a second and latency through it, beside the app directly, and beside nginx and
 * caddy where they are installed. Medians of several rounds, taken in turn so that all meet the same machine.
 * Run: pnpm --filter @kernel/plugin-http bench:edge
 * @module
 */
import { type ChildProcess, fork, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createEdge, edgeConfig, settingsOf } from '../src/proxy/index.ts'

const ROUNDS = 5
const ROUND_MS = 1_500
const WARM_UP_MS = 500
const BODY = 'hello, world\n'
const PORTS = { app: 19101, edge: 19102, nginx: 19103, caddy: 19104 }

interface Result {
  perSecond: number
  p50: number
  p99: number
}

/** Requests over `connections` kept connections, each one after the other. Latencies in milliseconds. */
async function measure(port: number, connections: number): Promise<Result> {
  const request = Buffer.from('GET / HTTP/1.1\r\nHost: app.test\r\nAccept: */*\r\n\r\n')
  const latencies: number[] = []
  let counting = false
  const sockets = Array.from({ length: connections }, () => {
    const socket = connect(port, '127.0.0.1')
    let began = 0
    let seen = ''
    const send = () => {
      began = performance.now()
      seen = ''
      socket.write(request)
    }
    socket.setNoDelay(true).on('connect', send)
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      seen += chunk.toString('latin1')
      if (!seen.endsWith(BODY)) return
      if (counting) latencies.push(performance.now() - began)
      send()
    })
    return socket
  })
  const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
  await wait(WARM_UP_MS)
  counting = true
  await wait(ROUND_MS)
  counting = false
  for (const socket of sockets) socket.destroy()
  latencies.sort((a, b) => a - b)
  const at = (share: number) => latencies[Math.floor(latencies.length * share)] ?? Number.NaN
  return { perSecond: latencies.length / (ROUND_MS / 1000), p50: at(0.5), p99: at(0.99) }
}

function median(values: number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!
}

async function serveApp(): Promise<void> {
  createServer((_, res) => {
    res.writeHead(200, { 'Content-Type': 'text/plain', 'Content-Length': BODY.length })
    res.end(BODY)
  }).listen(PORTS.app, '127.0.0.1', () => process.send?.('ready'))
}

async function serveEdge(): Promise<void> {
  const line = () => {}
  const edge = await createEdge({
    listen: [`127.0.0.1:${PORTS.edge}`],
    settings: settingsOf(edgeConfig.parse({ dataDir: '/tmp' })),
    log: { debug: line, info: line, warn: line, error: line },
  })
  const targets = [{ id: 'app', host: '127.0.0.1', port: PORTS.app }]
  await edge.publish('app', [{ host: 'app.test', path: '', state: 'up', targets }])
  await edge.ready()
  process.send?.('ready')
}

async function forked(role: string): Promise<ChildProcess> {
  const child = fork(fileURLToPath(import.meta.url), [role])
  await once(child, 'message')
  return child
}

const PEERS: Record<'nginx' | 'caddy', { config: string; args: (file: string) => string[] }> = {
  nginx: {
    config: `daemon off; pid /dev/null; error_log /dev/null; worker_processes auto; events {}
      http { access_log off; upstream app { server 127.0.0.1:${PORTS.app}; keepalive 64; }
        server { listen 127.0.0.1:${PORTS.nginx} reuseport;
          location / { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection "";
            proxy_set_header Host $host; proxy_set_header X-Forwarded-For $remote_addr; } } }`,
    args: (file) => ['-c', file],
  },
  caddy: {
    config: `{\n admin off\n auto_https off\n}\nhttp://127.0.0.1:${PORTS.caddy}, http://app.test:${PORTS.caddy} {\n reverse_proxy 127.0.0.1:${PORTS.app}\n}\n`,
    args: (file) => ['run', '--adapter', 'caddyfile', '--config', file],
  },
}

async function main(): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'bench-edge-'))
  const children = [await forked('app'), await forked('edge')]
  const subjects: Array<[string, number]> = [
    ['direct', PORTS.app],
    ['edge', PORTS.edge],
  ]
  try {
    for (const name of ['nginx', 'caddy'] as const) {
      if (spawnSync(name, [name === 'nginx' ? '-v' : 'version']).error) {
        console.log(`${name} is not installed: left out`)
        continue
      }
      const file = join(dir, name)
      writeFileSync(file, PEERS[name].config)
      children.push(spawn(name, PEERS[name].args(file), { stdio: 'ignore' }))
      subjects.push([name, PORTS[name]])
    }
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    for (const connections of [1, 64]) {
      const results = new Map<string, Result[]>(subjects.map(([name]) => [name, []]))
      for (let round = 0; round < ROUNDS; round++)
        for (const [name, port] of subjects) results.get(name)!.push(await measure(port, connections))
      console.log(`\n${connections} connection${connections > 1 ? 's' : ''}, median of ${ROUNDS} rounds`)
      const direct = median(results.get('direct')!.map(({ perSecond }) => perSecond))
      for (const [name, all] of results) {
        const of = (key: keyof Result) => median(all.map((result) => result[key]))
        const ratio = (of('perSecond') / direct).toFixed(2)
        console.log(
          `${name.padEnd(8)} ${of('perSecond').toFixed(0).padStart(7)}/s  x${ratio}` +
            `  p50 ${of('p50').toFixed(3)} ms  p99 ${of('p99').toFixed(3)} ms`,
        )
      }
    }
  } finally {
    for (const child of children) child.kill()
    rmSync(dir, { recursive: true, force: true })
  }
}

const [, , role] = process.argv
if (role === 'app') await serveApp()
else if (role === 'edge') await serveEdge()
else await main()
