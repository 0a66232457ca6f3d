import { execFile, execFileSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import dgram from 'node:dgram'
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import type { EngineEvent, HostConfig } from '@kernel/contracts'
import { available, bindUdp, createNetns, listenTcp } from '@kernel/sys'
import dnsPacket from 'dns-packet'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createEvents } from '../events/index.ts'
import { findProgram } from '../host/programs.ts'
import type { SandboxRequest, SandboxResult } from '../parts.ts'
import { createNetworks, type NetworksPart } from './create-networks.ts'

const tools = ['nft', 'nsenter', 'busybox', 'ip'].filter((name) => !findProgram(name))
const can = process.getuid?.() === 0 && available().ok && tools.length === 0
if (!can) console.log(`no root, or no ${tools.join(', ')}: real namespaces, names and ports are not tested`)

// Names that no container has are asked of the world, which may take its time to say no.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const run = promisify(execFile)

/** A daemon's networks in a data dir of its own. */
class Daemon {
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
async function within(netns: string | undefined, ...command: string[]): Promise<string> {
  const [file = '', ...args] = netns ? ['nsenter', `--net=${netns}`, ...command] : command
  return run(file, args, { timeout: 10_000 }).then(
    ({ stdout }) => stdout.trim(),
    () => 'failed',
  )
}

const ask = (netns: string | undefined, host: string, port: number) =>
  within(netns, 'busybox', 'nc', '-w', '2', host, `${port}`)
const lookUp = (netns: string | undefined, name: string) =>
  within(netns, 'busybox', 'nslookup', '-type=a', name, '127.0.0.11')
const addressOf = (result: SandboxResult, network: string) => result.endpoints[network]?.IPAddress ?? 'none'

const outside = os.networkInterfaces()
const hostAddress = Object.entries(outside)
  .filter(([name]) => !name.startsWith('kb') && !name.startsWith('docker'))
  .flatMap(([, list]) => list ?? [])
  .find((one) => one.family === 'IPv4' && !one.internal)?.address

/** All that a daemon of this instance could leave on the machine. */
function traces(instance: string): string[] {
  const show = (file: string, ...args: string[]) => execFileSync(file, args, { encoding: 'utf8' }).split('\n')
  const tag = instance.slice(0, 6)
  return [
    ...show('ip', '-o', 'link').filter((line) => line.includes(tag)),
    ...show('nft', 'list', 'tables').filter((line) => line.includes(instance)),
    ...show('cat', '/proc/self/mountinfo').filter((line) => line.includes(`kernel-${instance}`)),
    ...fs.readdirSync('/run').filter((name) => name.includes(instance)),
  ]
}

async function eventually(check: () => boolean): Promise<void> {
  for (let i = 0; i < 200 && !check(); i++) await new Promise((resolve) => setTimeout(resolve, 25))
  expect(check()).toBe(true)
}

describe.runIf(can)('containers on networks', () => {
  let daemon: Daemon
  beforeEach(async () => {
    daemon = new Daemon()
    await daemon.start()
  })
  afterEach(async () => {
    await daemon.end()
    await eventually(() => traces(daemon.instance).length === 0)
  })

  test('find each other by name, alias, short id and address on their own network', async () => {
    const { networks } = daemon.part
    await networks.create({ Name: 'front' })
    const web = await daemon.up('web', { NetworkMode: 'front' }, { front: { Aliases: ['www'] } })
    const db = await daemon.up('db', { NetworkMode: 'front' })
    const stranger = await daemon.up('stranger')
    daemon.serve('web', web.netns)

    const webAddress = addressOf(web, 'front')
    const short = daemon.request('web').containerId.slice(0, 12)
    for (const name of ['web', 'WWW', short, 'web.front']) {
      expect(await lookUp(db.netns, name)).toContain(`Address: ${webAddress}`)
    }
    expect(await within(db.netns, 'busybox', 'nslookup', webAddress, '127.0.0.11')).toContain('web.front')
    expect(await lookUp(db.netns, 'stranger')).not.toContain(addressOf(stranger, 'bridge'))
    expect(await within(db.netns, 'busybox', 'ping', '-c1', '-W2', webAddress)).toContain(
      '1 packets received',
    )
    expect(await ask(db.netns, webAddress, 80)).toBe(`web for ${addressOf(db, 'front')}`)
    // The edge connects from this machine; other networks do not get in.
    expect(await ask(undefined, webAddress, 80)).toMatch(/^web for /)
    expect(await ask(stranger.netns, webAddress, 80)).toBe('failed')

    expect(db.resolvConf).toMatch(/^nameserver 127\.0\.0\.11\n/)
    expect(stranger.resolvConf).not.toContain('127.0.0.11')
    expect(db.hosts).toContain(`${addressOf(db, 'front')}\tdb\n`)
    expect(web.endpoints.front).toMatchObject({
      MacAddress: expect.stringMatching(/^02:42:/),
      DNSNames: ['web', 'www', short],
    })
    const { containerId } = daemon.request('db')
    await daemon.part.sandboxes.rename(containerId, 'database')
    expect(await lookUp(web.netns, 'database')).toContain(addressOf(db, 'front'))
    await daemon.down('db')
    expect(await lookUp(web.netns, 'database')).not.toContain(addressOf(db, 'front'))
  })

  test('names are answered over TCP too', async () => {
    await daemon.part.networks.create({ Name: 'front' })
    const web = await daemon.up('web', { NetworkMode: 'front' })
    const asked = dnsPacket.streamEncode({ type: 'query', id: 7, questions: [{ type: 'A', name: 'web' }] })
    const file = path.join(daemon.dataDir, 'query')
    fs.writeFileSync(file, asked)
    const { stdout } = await run(
      'nsenter',
      [`--net=${web.netns}`, 'sh', '-c', `(cat ${file}; sleep 0.5) | busybox nc -w 2 127.0.0.11 53`],
      { encoding: 'buffer' },
    )
    const answer = dnsPacket.streamDecode(stdout)
    expect(answer.answers?.[0]).toMatchObject({ type: 'A', data: addressOf(web, 'front') })
  })

  test('published ports are reached by 127.0.0.1, by the address of the machine, and from within', async () => {
    await daemon.part.networks.create({ Name: 'front' })
    const PortBindings = { '80/tcp': [{ HostIp: '', HostPort: '' }] }
    const web = await daemon.up('web', { NetworkMode: 'front', PortBindings })
    const neighbour = await daemon.up('neighbour', { NetworkMode: 'front' })
    const stranger = await daemon.up('stranger')
    daemon.serve('web', web.netns)
    const [binding] = web.ports['80/tcp'] ?? []
    expect(binding?.HostIp).toBe('0.0.0.0')
    const port = Number(binding?.HostPort)
    expect(port).toBeGreaterThan(1023)
    expect(await ask(undefined, '127.0.0.1', port)).toMatch(/^web for /)
    if (hostAddress) {
      for (const netns of [undefined, web.netns, neighbour.netns, stranger.netns]) {
        expect(await ask(netns, hostAddress, port)).toMatch(/^web for /)
      }
    }
    await daemon.down('web')
    expect(await ask(undefined, '127.0.0.1', port)).toBe('failed')
  })

  test('a port at one address is open there only, and no one else can take it', async () => {
    const PortBindings = { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '' }] }
    const web = await daemon.up('web', { PortBindings })
    daemon.serve('web', web.netns)
    const port = Number(web.ports['80/tcp']?.[0]?.HostPort)
    expect(await ask(undefined, '127.0.0.1', port)).toMatch(/^web for /)
    if (hostAddress) expect(await ask(undefined, hostAddress, port)).toBe('failed')

    expect(() => listenTcp({ address: '127.0.0.1', port })).toThrow('EADDRINUSE')
    const clash = daemon.up('clash', { PortBindings: { '80/tcp': [{ HostPort: `${port}` }] } })
    await expect(clash).rejects.toMatchObject({
      kind: 'failed',
      message: `driver failed programming external connectivity on endpoint clash: Bind for 0.0.0.0:${port} failed: port is already allocated`,
    })
    expect(traces(daemon.instance).filter((line) => line.includes('netns/'))).toHaveLength(1)
  })

  test('udp is published as well', async () => {
    const web = await daemon.up('web', { PortBindings: { '53/udp': [{}] } })
    const port = web.ports['53/udp']?.[0]?.HostPort
    expect(web.ports['80/tcp']).toBeNull()
    const server = dgram.createSocket('udp4')
    server.on('message', (text, from) => server.send(`${text} back`, from.port, from.address))
    server.bind({ fd: bindUdp({ address: '0.0.0.0', port: 53, ...(web.netns && { netns: web.netns }) }) })
    const client = dgram.createSocket('udp4')
    const answer = new Promise<string>((resolve) => client.on('message', (text) => resolve(String(text))))
    client.send('there', Number(port), '127.0.0.1')
    expect(await answer).toBe('there back')
    client.close()
    server.close()
  })

  test('an internal network leads nowhere, and still has names', async () => {
    await daemon.part.networks.create({ Name: 'back', Internal: true })
    const db = await daemon.up('db', { NetworkMode: 'back' })
    const peer = await daemon.up('peer', { NetworkMode: 'back' })
    daemon.serve('db', db.netns)
    expect(await ask(peer.netns, addressOf(db, 'back'), 80)).toMatch(/^db for /)
    expect(await lookUp(peer.netns, 'db')).toContain(addressOf(db, 'back'))
    expect(await within(peer.netns, 'ip', 'route')).not.toContain('default')
    expect(db.endpoints.back?.Gateway).toBe('')
  })

  test('host, none and container: share what they say', async () => {
    const host = await daemon.up('host', { NetworkMode: 'host' })
    expect(host.netns).toBeUndefined()
    expect(Object.keys(host.endpoints)).toEqual(['host'])
    const none = await daemon.up('none', { NetworkMode: 'none' })
    expect(await within(none.netns, 'ip', '-o', 'link')).toMatch(/^1: lo: .*LOOPBACK,UP[^\n]*$/)
    const web = await daemon.up('web')
    const side = await daemon.up('side', { NetworkMode: 'container:web' })
    expect(side.netns).toBe(web.netns)
    expect(side.hosts).toBe(web.hosts)
    await daemon.down('side')
    expect(await within(web.netns, 'ip', '-o', 'addr')).toContain(addressOf(web, 'bridge'))
    await daemon.down('web')
    await expect(daemon.up('side', { NetworkMode: 'container:web' })).rejects.toMatchObject({
      kind: 'not-found',
    })
    await expect(daemon.up('lost', { NetworkMode: 'nowhere' })).rejects.toThrow('network nowhere not found')
  })

  test('a running container joins and leaves networks', async () => {
    const { networks, sandboxes } = daemon.part
    const { id } = await networks.create({ Name: 'front', IPAM: { Config: [{ Subnet: '10.213.7.0/24' }] } })
    const web = await daemon.up('web', { PortBindings: { '80/tcp': [{}] } })
    const db = await daemon.up('db', { NetworkMode: 'front' })
    daemon.serve('web', web.netns)
    const containerId = daemon.request('web').containerId
    const changes: unknown[] = []
    sandboxes.onEndpointChange(async (container, network, endpoint) => {
      changes.push([container === containerId, network, endpoint?.IPAddress])
    })
    sandboxes.setContainers(() => [{ id: containerId, name: 'web', running: true, endpoints: web.endpoints }])

    await networks.connect('front', 'web', { IPAMConfig: { IPv4Address: '10.213.7.77' }, Aliases: ['www'] })
    expect(changes).toEqual([[true, 'front', '10.213.7.77']])
    expect(await lookUp(db.netns, 'www')).toContain('10.213.7.77')
    expect(await lookUp(web.netns, 'db')).toContain(addressOf(db, 'front'))
    expect(await ask(db.netns, '10.213.7.77', 80)).toMatch(/^web for /)
    await expect(networks.connect('front', 'web')).rejects.toMatchObject({ kind: 'denied' })
    expect((await networks.inspect(id)).Containers[containerId]).toMatchObject({
      Name: 'web',
      IPv4Address: '10.213.7.77/24',
    })
    await expect(networks.remove('front')).rejects.toMatchObject({
      kind: 'denied',
      message: expect.stringMatching(
        /network front has active endpoints \(name:"web" id:"[0-9a-f]{12}", name:"db"/,
      ),
    })

    // The default route and the published port move to the network that is left.
    await networks.disconnect('bridge', 'web')
    expect(await within(web.netns, 'ip', 'route')).toContain('default via 10.213.7.1 dev eth1')
    const port = Number(web.ports['80/tcp']?.[0]?.HostPort)
    expect(await ask(undefined, '127.0.0.1', port)).toMatch(/^web for /)
    await expect(networks.disconnect('front', 'nobody')).rejects.toThrow('No such container: nobody')
    await networks.disconnect('front', 'web')
    expect(await within(web.netns, 'ip', '-o', 'link')).not.toContain('eth')
    expect(daemon.seen.filter((line) => line.endsWith('connect front'))).toEqual([
      'network connect front',
      'network connect front',
      'network disconnect front',
    ])
  })

  test('addresses: static ones, taken ones, none outside of the subnet', async () => {
    const { networks } = daemon.part
    const Config = [{ Subnet: '10.213.8.0/24', Gateway: '10.213.8.254', IPRange: '10.213.8.128/30' }]
    await networks.create({ Name: 'fixed', IPAM: { Config } })
    const at = (IPv4Address: string) => ({ fixed: { IPAMConfig: { IPv4Address } } })
    const mode = { NetworkMode: 'fixed' }
    expect(addressOf(await daemon.up('a', mode, at('10.213.8.9')), 'fixed')).toBe('10.213.8.9')
    await expect(daemon.up('b', mode, at('10.213.8.9'))).rejects.toThrow('Address already in use')
    await expect(daemon.up('b', mode, at('10.99.0.1'))).rejects.toThrow('no configured subnet contains')
    const b = await daemon.up('b', mode)
    expect(addressOf(b, 'fixed')).toBe('10.213.8.128')
    expect(b.endpoints.fixed?.Gateway).toBe('10.213.8.254')
    await expect(
      daemon.up('c', {}, { bridge: { IPAMConfig: { IPv4Address: '172.17.0.9' } } }),
    ).rejects.toThrow('user specified IP address is supported on user defined networks only')
    const overlap = networks.create({ Name: 'twice', IPAM: { Config: [{ Subnet: '10.213.8.64/26' }] } })
    await expect(overlap).rejects.toThrow('Pool overlaps with other one on this address space')
  })

  test('networks are made, listed by filter, pruned and removed; the predefined stay', async () => {
    const { networks, sandboxes } = daemon.part
    const { id, warning } = await networks.create({ Name: 'front', Labels: { app: 'x' }, EnableIPv6: true })
    expect(id).toMatch(/^[0-9a-f]{64}$/)
    expect(warning).toContain('IPv6 is not served')
    await networks.create({ Name: 'back' })
    await networks.create({ Name: 'kept' })
    const names = async (filters: Record<string, string[]> = {}) =>
      (await networks.list({ filters })).map((one) => one.Name).sort()
    expect(await names()).toEqual(['back', 'bridge', 'front', 'host', 'kept', 'none'])
    expect(await names({ type: ['custom'], name: ['ro', 'ac'] })).toEqual(['back', 'front'])
    expect(await names({ driver: ['null', 'host'] })).toEqual(['host', 'none'])
    expect(await names({ label: ['app=x'] })).toEqual(['front'])
    expect(await names({ id: [id.slice(0, 10)] })).toEqual(['front'])
    await expect(names({ color: ['red'] })).rejects.toThrow("invalid filter 'color'")
    expect((await networks.inspect(id.slice(0, 12))).Name).toBe('front')

    await expect(networks.create({ Name: 'front' })).rejects.toMatchObject({ kind: 'conflict' })
    await expect(networks.create({ Name: 'x', Driver: 'overlay' })).rejects.toMatchObject({
      kind: 'not-found',
    })
    await expect(networks.create({ Name: '' })).rejects.toMatchObject({ kind: 'invalid' })
    await expect(networks.remove('bridge')).rejects.toMatchObject({
      kind: 'denied',
      message: 'bridge is a pre-defined network and cannot be removed',
    })
    await expect(networks.remove('nowhere')).rejects.toThrow('network nowhere not found')

    await daemon.up('web', { NetworkMode: 'front' })
    const stopped = { id: 'f'.repeat(64), name: 'stopped', running: false, endpoints: { kept: {} } }
    sandboxes.setContainers(() => [stopped])
    expect(await names({ dangling: ['true'] })).toEqual(['back'])
    expect(await networks.prune({ filters: { until: ['1h'] } })).toEqual({ deleted: [] })
    expect(await networks.prune()).toEqual({ deleted: ['back'] })
    await networks.remove('kept')
    expect(await names({ type: ['custom'] })).toEqual(['front'])
    expect(traces(daemon.instance).filter((line) => / kb[a-z0-9-]+:/.test(line))).toHaveLength(2)
  })

  test('a restart of the daemon keeps running containers, and removes the others', async () => {
    await daemon.part.networks.create({ Name: 'front' })
    const PortBindings = { '80/tcp': [{}] }
    const web = await daemon.up('web', { NetworkMode: 'front', PortBindings })
    const gone = await daemon.up('gone', { NetworkMode: 'front', PortBindings })
    daemon.serve('web', web.netns)
    const port = Number(web.ports['80/tcp']?.[0]?.HostPort)
    await daemon.part.close()
    // Without a daemon: the port leads on.
    expect(await ask(undefined, '127.0.0.1', port)).toMatch(/^web for /)
    const stray = path.join(`/run/kernel-${daemon.instance}/netns`, randomBytes(32).toString('hex'))
    createNetns(stray)

    await daemon.start()
    expect(await ask(undefined, '127.0.0.1', port)).toMatch(/^web for /)
    await daemon.part.sandboxes.restore([{ ...daemon.request('web'), result: web }])
    expect(fs.existsSync(stray)).toBe(false)
    expect(fs.existsSync(gone.netns ?? '')).toBe(false)
    expect(await ask(undefined, '127.0.0.1', port)).toMatch(/^web for /)
    expect(() => listenTcp({ address: '127.0.0.1', port })).toThrow('EADDRINUSE')
    const db = await daemon.up('db', { NetworkMode: 'front' })
    expect(addressOf(db, 'front')).not.toBe(addressOf(web, 'front'))
    expect(await lookUp(db.netns, 'web')).toContain(addressOf(web, 'front'))
    expect(await lookUp(web.netns, 'db')).toContain(addressOf(db, 'front'))
    expect(await lookUp(web.netns, 'gone')).not.toContain(addressOf(gone, 'front'))
  })

  test('a table that someone flushed is made anew with the next change', async () => {
    const web = await daemon.up('web', { PortBindings: { '80/tcp': [{}] } })
    daemon.serve('web', web.netns)
    const port = Number(web.ports['80/tcp']?.[0]?.HostPort)
    await run('nft', ['delete', 'table', 'ip', `kernel_${daemon.instance}`])
    expect(await ask(undefined, '127.0.0.1', port)).not.toMatch(/^web for /)
    await daemon.up('other', { PortBindings: { '80/tcp': [{}] } })
    expect(daemon.warnings).toEqual(['our nftables table is not as it was left; it is made anew'])
    expect(await ask(undefined, '127.0.0.1', port)).toMatch(/^web for /)
  })

  test('a second daemon runs beside it, with other names, subnets and ports', async () => {
    const second = new Daemon()
    await second.start()
    try {
      const PortBindings = { '80/tcp': [{ HostPort: '' }] }
      const a = await daemon.up('web', { PortBindings })
      const b = await second.up('web', { PortBindings })
      daemon.serve('first', a.netns)
      second.serve('second', b.netns)
      expect(a.endpoints.bridge?.Gateway).not.toBe(b.endpoints.bridge?.Gateway)
      const portOf = (result: SandboxResult) => Number(result.ports['80/tcp']?.[0]?.HostPort)
      expect(await ask(undefined, '127.0.0.1', portOf(a))).toMatch(/^first for /)
      expect(await ask(undefined, '127.0.0.1', portOf(b))).toMatch(/^second for /)
      expect(await ask(a.netns, addressOf(b, 'bridge'), 80)).toBe('failed')
      const taken = second.up('clash', { PortBindings: { '80/tcp': [{ HostPort: `${portOf(a)}` }] } })
      await expect(taken).rejects.toThrow('port is already allocated')
    } finally {
      await second.end()
    }
    await eventually(() => traces(second.instance).length === 0)
    expect((await daemon.part.networks.inspect('bridge')).Containers).not.toEqual({})
  })
})
