import dgram from 'node:dgram'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { bindUdp, listenTcp } from '@kernel/sys'
import dnsPacket from 'dns-packet'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import {
  addressOf,
  ask,
  canHaveNetworks,
  Daemon,
  eventually,
  hostAddress,
  lookUp,
  run,
  traces,
  within,
} from './testing.ts'

// Names that no container has are asked of the world, which may take its time to say no.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

describe.runIf(canHaveNetworks())('containers on networks', () => {
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

  test('udp is published as well, and a flow that goes on follows the port to the next container', async () => {
    const echo = (name: string, netns: string | undefined) => {
      const server = dgram.createSocket('udp4')
      server.on('message', (_, from) => server.send(name, from.port, from.address))
      return server.bind({ fd: bindUdp({ address: '0.0.0.0', port: 53, ...(netns && { netns }) }) })
    }
    const blue = await daemon.up('blue', { PortBindings: { '53/udp': [{}] } })
    expect(blue.ports['80/tcp']).toBeNull()
    const port = blue.ports['53/udp']?.[0]?.HostPort
    const servers = [echo('blue', blue.netns)]
    const client = dgram.createSocket('udp4')
    const answer = async () => {
      const answered = once(client, 'message')
      client.send('who?', Number(port), '127.0.0.1')
      return String((await answered)[0])
    }
    expect(await answer()).toBe('blue')
    await daemon.down('blue')
    const green = await daemon.up('green', { PortBindings: { '53/udp': [{ HostPort: `${port}` }] } })
    servers.push(echo('green', green.netns))
    expect(await answer()).toBe('green')
    client.close()
    for (const server of servers) server.close()
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
})
