/** Real networks of daemons in data dirs of their own, for tests that run as root. */
import { execFile, execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import type { EngineEvent, HostConfig } from '@kernel/contracts'
import { available, listenTcp } from '@kernel/sys'
import { expect } from 'vitest'
import { createEvents } from '../events/index.ts'
import { findProgram } from '../host/programs.ts'
import type { SandboxRequest, SandboxResult } from '../parts.ts'
import { createNetworks, type NetworksPart } from './create-networks.ts'

const missing = ['nft', 'nsenter', 'busybox', 'ip'].filter((name) => !findProgram(name))

/** Whether this machine can do it; says so in one line where not. */
export function canHaveNetworks(): boolean {
  const can = process.getuid?.() === 0 && available().ok && missing.length === 0
  if (!can) {
    const why = missing.length > 0 ? `${missing.join(', ')} not installed` : 'not root'
    console.log(`${why}: real namespaces, names and ports are not tested`)
  }
  return can
}

export const run = promisify(execFile)

/** A daemon's networks in a data dir of its own. */
export class Daemon {
  readonly dataDir = fs.mkdtempSync(path.join(os.tmpdir(), 'networks-'))
  readonly instance = createHash('sha256').update(this.dataDir).digest('hex').slice(0, 8)
  readonly events = createEvents({ file: ':memory:' })
  readonly seen: string[] = []
  readonly warnings: string[] = []
  part!: NetworksPart
  private readonly servers: net.Server[] = []

  constructor() {
    this.watch(this.events.subscribe())
  }

  async start(config = {}): Promise<void> {
    const { dataDir, instance, events } = this
    const warn = (message: string) => this.warnings.push(message)
    const log = { debug() {}, info() {}, warn, error: warn }
    this.part = await createNetworks({ dataDir, instance, events, log, config })
  }

  async end(): Promise<void> {
    for (const server of this.servers) server.close()
    await this.part.purge()
    await this.part.close()
    this.events.close()
    fs.rmSync(this.dataDir, { recursive: true, force: true })
  }

  request(
    name: string,
    hostConfig: HostConfig = {},
    endpoints: SandboxRequest['endpoints'] = {},
  ): SandboxRequest {
    const containerId = createHash('sha256').update(`${this.instance}${name}`).digest('hex')
    const config = { Image: 'x', ExposedPorts: { '80/tcp': {} } }
    return { containerId, name, hostname: name, domainname: '', config, hostConfig, endpoints }
  }

  up(...request: Parameters<Daemon['request']>): Promise<SandboxResult> {
    return this.part.sandboxes.up(this.request(...request))
  }

  down(name: string): Promise<void> {
    return this.part.sandboxes.down(this.request(name).containerId)
  }

  /** A server in a container that says its name and who asks. */
  serve(name: string, netns: string | undefined, port = 80): void {
    const server = net.createServer((socket) => {
      socket.on('error', () => {})
      socket.end(`${name} for ${socket.remoteAddress}`)
    })
    this.servers.push(server.listen({ fd: listenTcp({ address: '0.0.0.0', port, ...(netns && { netns }) }) }))
  }

  private async watch(stream: AsyncIterable<EngineEvent>): Promise<void> {
    for await (const { Type, Action, Actor } of stream)
      this.seen.push(`${Type} ${Action} ${Actor.Attributes.name}`)
  }
}

/** Runs a program in a namespace; answers its output, or `failed`. */
export async function within(netns: string | undefined, ...command: string[]): Promise<string> {
  const [file = '', ...args] = netns ? ['nsenter', `--net=${netns}`, ...command] : command
  return run(file, args, { timeout: 10_000 }).then(
    ({ stdout }) => stdout.trim(),
    () => 'failed',
  )
}

export const ask = (netns: string | undefined, host: string, port: number) =>
  within(netns, 'busybox', 'nc', '-w', '2', host, `${port}`)
export const lookUp = (netns: string | undefined, name: string) =>
  within(netns, 'busybox', 'nslookup', '-type=a', name, '127.0.0.11')
export const addressOf = (result: SandboxResult, network: string) =>
  result.endpoints[network]?.IPAddress ?? 'none'

const outside = os.networkInterfaces()
export const hostAddress = Object.entries(outside)
  .filter(([name]) => !name.startsWith('kb') && !name.startsWith('docker'))
  .flatMap(([, list]) => list ?? [])
  .find((one) => one.family === 'IPv4' && !one.internal)?.address

/** All that a daemon of this instance could leave on the machine. */
export function traces(instance: string): string[] {
  const show = (file: string, ...args: string[]) => execFileSync(file, args, { encoding: 'utf8' }).split('\n')
  const tag = instance.slice(0, 6)
  return [
    ...show('ip', '-o', 'link').filter((line) => line.includes(tag)),
    ...show('nft', 'list', 'tables').filter((line) => line.includes(instance)),
    ...show('cat', '/proc/self/mountinfo').filter((line) => line.includes(`kernel-${instance}`)),
    ...fs.readdirSync('/run').filter((name) => name.includes(instance)),
  ]
}

export async function eventually(check: () => boolean): Promise<void> {
  for (let i = 0; i < 200 && !check(); i++) await new Promise((resolve) => setTimeout(resolve, 25))
  expect(check()).toBe(true)
}
