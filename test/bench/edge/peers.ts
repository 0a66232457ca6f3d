/** The edge and its peers, each on one core of its own, with the same upstream and the same routes. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

/** The proxy runs on the first core, load and upstream share the second. */
export const PROXY_CORE = '0'
export const LOAD_CORE = '1'
export const UPSTREAM_PORT = 19_101

export interface Peer {
  name: string
  port: number
  process: ChildProcess
}

const temporary = (dir: string) =>
  ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${dir}/${kind};`)
    .join(' ')

const nginxHead = (dir: string) =>
  `worker_processes 1; daemon off; pid ${dir}/pid; error_log /dev/null; events { worker_connections 8192; }`

function nginxConfig(dir: string, port: number, hosts: string[]): string {
  return `${nginxHead(dir)}
http { access_log off; ${temporary(dir)} keepalive_requests 1000000000;
  server_names_hash_max_size 65536; server_names_hash_bucket_size 64;
  upstream app { server 127.0.0.1:${UPSTREAM_PORT}; keepalive 512; keepalive_requests 1000000000; }
  server { listen 127.0.0.1:${port} default_server; return 404; }
  server { listen 127.0.0.1:${port}; server_name ${hosts.join(' ')};
    location / { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Host $host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Host $host;
      proxy_set_header X-Forwarded-Port $server_port; proxy_set_header X-Request-Id $request_id; } } }`
}

function upstreamConfig(dir: string): string {
  return `${nginxHead(dir)}
http { access_log off; ${temporary(dir)} keepalive_requests 1000000000;
  server { listen 127.0.0.1:${UPSTREAM_PORT} backlog=4096;
    location / { default_type text/plain; return 200 "hello, world\\n"; } } }`
}

function haproxyConfig(dir: string, port: number, hosts: string[]): string {
  writeFileSync(join(dir, 'hosts.map'), hosts.map((host) => `${host} app\n`).join(''))
  return `global
  maxconn 8192
  nbthread 1
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  option forwardfor
  http-reuse always
frontend visitors
  bind 127.0.0.1:${port}
  unique-id-format %{+X}o%ci:%cp_%fi:%fp_%Ts_%rt:%pid
  unique-id-header X-Request-Id
  http-request set-header X-Forwarded-Proto http
  http-request deny deny_status 404 unless { req.hdr(host),lower,map(${dir}/hosts.map) -m found }
  use_backend %[req.hdr(host),lower,map(${dir}/hosts.map,none)]
backend app
  server one 127.0.0.1:${UPSTREAM_PORT}
`
}

function caddyConfig(port: number, hosts: string[]): string {
  return `{
  admin off
  auto_https off
}
${hosts.map((host) => `http://${host}:${port}`).join(', ')} {
  bind 127.0.0.1
  reverse_proxy 127.0.0.1:${UPSTREAM_PORT}
}
`
}

async function listening(port: number, what: ChildProcess): Promise<void> {
  for (let i = 0; i < 400; i++) {
    if (what.exitCode !== null) throw new Error(`it ended with ${what.exitCode}`)
    const socket = connect(port, '127.0.0.1')
    const open = await Promise.race([
      once(socket, 'connect').then(() => true),
      once(socket, 'error').then(() => false),
    ]).catch(() => false)
    socket.destroy()
    if (open) return
    await sleep(50)
  }
  throw new Error(`nothing listens on ${port}`)
}

function pinned(core: string, command: string[], env: Record<string, string> = {}): ChildProcess {
  return spawn('taskset', ['-c', core, ...command], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, ...env },
  })
}

export async function startUpstream(dir: string): Promise<Peer> {
  const own = join(dir, 'upstream')
  mkdirSync(own, { recursive: true })
  writeFileSync(join(own, 'conf'), upstreamConfig(own))
  const process = pinned(LOAD_CORE, ['nginx', '-c', join(own, 'conf')])
  await listening(UPSTREAM_PORT, process)
  return { name: 'upstream', port: UPSTREAM_PORT, process }
}

/** Ours and those of nginx, haproxy and caddy that are installed. */
export async function startPeers(dir: string, hosts: string[]): Promise<Peer[]> {
  const peers: Peer[] = []
  const edge = fileURLToPath(new URL('../../../packages/plugin-http/bench/serve-edge.ts', import.meta.url))
  const starts: Array<{ name: string; version: string[]; start(dir: string, port: number): ChildProcess }> = [
    {
      name: 'kernel',
      version: [process.execPath, '--version'],
      start: (_, port) =>
        pinned(PROXY_CORE, [
          process.execPath,
          '--conditions=source',
          edge,
          String(port),
          String(UPSTREAM_PORT),
          String(hosts.length),
        ]),
    },
    {
      name: 'nginx',
      version: ['nginx', '-v'],
      start(own, port) {
        writeFileSync(join(own, 'conf'), nginxConfig(own, port, hosts))
        return pinned(PROXY_CORE, ['nginx', '-c', join(own, 'conf')])
      },
    },
    {
      name: 'haproxy',
      version: ['haproxy', '-v'],
      start(own, port) {
        writeFileSync(join(own, 'conf'), haproxyConfig(own, port, hosts))
        return pinned(PROXY_CORE, ['haproxy', '-q', '-f', join(own, 'conf')])
      },
    },
    {
      name: 'caddy',
      version: ['caddy', 'version'],
      start(own, port) {
        writeFileSync(join(own, 'conf'), caddyConfig(port, hosts))
        const log = { GOMAXPROCS: '1', HOME: own }
        return spawn(
          'taskset',
          ['-c', PROXY_CORE, 'caddy', 'run', '--adapter', 'caddyfile', '--config', join(own, 'conf')],
          { stdio: 'ignore', env: { ...process.env, ...log } },
        )
      },
    },
  ]
  let port = UPSTREAM_PORT
  for (const { name, version, start } of starts) {
    port++
    const [program = '', ...args] = version
    if (spawnSync(program, args).error) {
      console.log(`  ${name} is not installed: left out`)
      continue
    }
    const own = join(dir, name)
    mkdirSync(own, { recursive: true })
    const child = start(own, port)
    try {
      await listening(port, child)
      peers.push({ name, port, process: child })
    } catch (error) {
      child.kill()
      console.log(`  ${name} did not start: ${(error as Error).message}`)
    }
  }
  return peers
}

export async function stop(peers: Peer[]): Promise<void> {
  for (const { process } of peers) {
    if (process.exitCode !== null) continue
    process.kill('SIGTERM')
    await Promise.race([once(process, 'exit'), sleep(3_000).then(() => process.kill('SIGKILL'))])
  }
}
