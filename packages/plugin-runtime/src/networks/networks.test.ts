import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { createNetns, listenTcp } from '@kernel/sys'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { SandboxResult } from '../parts.ts'
import {
  addressOf,
  ask,
  canHaveNetworks,
  Daemon,
  eventually,
  lookUp,
  run,
  traces,
  within,
} from './testing.ts'

// Names that no container has are asked of the world, which may take its time to say no.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

describe.runIf(canHaveNetworks())('networks of a daemon', () => {
  let daemon: Daemon
  beforeEach(async () => {
    daemon = new Daemon()
    await daemon.start()
  })
  afterEach(async () => {
    await daemon.end()
    await eventually(() => traces(daemon.instance).length === 0)
  })

  test('a running container joins and leaves networks', async () => {
    const { networks, sandboxes } = daemon.part
    const { id } = await networks.create({ Name: 'front', IPAM: { Config: [{ Subnet: '10.213.7.0/24' }] } })
    const web = await daemon.up('web', { PortBindings: { '80/tcp': [{}] } })
    const db = await daemon.up('db', { NetworkMode: 'front' })
    daemon.serve('web', web.netns)
    const containerId = daemon.request('web').containerId
    const changes: unknown[] = []
    let files: { hosts: string; resolvConf: string } | undefined
    sandboxes.onEndpointChange(async (container, network, endpoint, now) => {
      changes.push([container === containerId, network, endpoint?.IPAddress])
      files = now
    })
    sandboxes.setContainers(() => [{ id: containerId, name: 'web', running: true, endpoints: web.endpoints }])

    await networks.connect('front', 'web', { IPAMConfig: { IPv4Address: '10.213.7.77' }, Aliases: ['www'] })
    expect(changes).toEqual([[true, 'front', '10.213.7.77']])
    expect(web.resolvConf).not.toContain('127.0.0.11')
    expect(files?.resolvConf).toMatch(/^nameserver 127\.0\.0\.11\n/)
    expect(files?.hosts).toContain(`${addressOf(web, 'bridge')}\tweb\n10.213.7.77\tweb\n`)
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
    expect(files?.hosts).not.toContain(addressOf(web, 'bridge'))
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

  test('a daemon that is killed at any moment leaves nothing that its next start does not remove', async () => {
    const script = `
      const { createNetworks } = await import('${import.meta.dirname}/create-networks.ts')
      const { createEvents } = await import('${import.meta.dirname}/../events/index.ts')
      const log = { debug() {}, info() {}, warn() {}, error() {} }
      const { dataDir, instance } = ${JSON.stringify({ dataDir: daemon.dataDir, instance: daemon.instance })}
      const events = createEvents({ file: ':memory:' })
      const { sandboxes } = await createNetworks({ dataDir, instance, events, log })
      const box = (name) => ({ containerId: name, name, hostname: name, domainname: '', endpoints: {},
        config: { Image: 'x', ExposedPorts: { '80/tcp': {} } }, hostConfig: { PublishAllPorts: true } })
      for (let i = 0; ; i++) {
        await sandboxes.up(box('c' + i))
        if (i > 2) await sandboxes.down('c' + (i - 2))
        console.log(i)
      }`
    await daemon.part.close()
    for (const rounds of [0, 3, 5]) {
      const child = spawn(process.execPath, ['--conditions=source', '--input-type=module', '-e', script], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      for await (const chunk of child.stdout)
        if (Number(String(chunk).trim().split('\n').at(-1)) >= rounds) break
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    expect(traces(daemon.instance).filter((line) => line.includes('netns/')).length).toBeGreaterThan(0)
    await daemon.start()
    await daemon.part.sandboxes.restore([])
    await eventually(() => traces(daemon.instance).every((line) => !/netns\/| kv/.test(line)))
    expect((await daemon.part.networks.inspect('bridge')).Containers).toEqual({})
    const { stdout } = await run('nft', ['list', 'map', 'ip', `kernel_${daemon.instance}`, 'ports'])
    expect(stdout).not.toContain('elements')
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
