import dgram from 'node:dgram'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { bindUdp } from './bound-sockets.ts'
import { SysError } from './errors.ts'
import { createNetns, deleteNetns } from './namespaces.ts'
import { Netlink } from './netlink.ts'

const isRoot = process.getuid?.() === 0 && process.platform === 'linux'
if (!isRoot) console.log('netlink.test: skipped, changing devices needs root on Linux')

describe.runIf(isRoot)('Netlink', () => {
  let dir: string
  let a: string
  let b: string
  let left: Netlink
  let right: Netlink
  beforeEach(() => {
    dir = fs.mkdtempSync(join(tmpdir(), 'sys-netlink-'))
    a = join(dir, 'a')
    b = join(dir, 'b')
    createNetns(a)
    createNetns(b)
    left = new Netlink(a)
    right = new Netlink(b)
  })
  afterEach(() => {
    left.close()
    right.close()
    deleteNetns(a)
    deleteNetns(b)
    fs.rmSync(dir, { recursive: true })
  })

  it('finds the loopback, by name and by index', () => {
    const lo = left.link('lo')
    expect(lo).toMatchObject({ index: 1, name: 'lo', up: false })
    expect(left.link(1)).toEqual(lo)
    expect(left.link('none')).toBeUndefined()
    expect(left.link(4711)).toBeUndefined()
    left.setUp('lo')
    expect(left.link('lo')?.up).toBe(true)
    left.setDown('lo')
    expect(left.link('lo')?.up).toBe(false)
  })

  it('joins two namespaces by a bridge and a wire, over which packets go', async () => {
    const bridge = left.createBridge('br0', { up: true })
    expect(bridge).toMatchObject({ kind: 'bridge', up: true })
    left.addAddress(bridge, '10.9.0.1/24')
    const peer = { name: 'eth0', netns: b, mac: '02:42:0a:09:00:02', mtu: 1400 }
    const host = left.createVeth('veth-b', peer, { master: bridge, up: true, mtu: 1400 })
    expect(host).toMatchObject({ kind: 'veth', master: bridge.index, mtu: 1400 })
    expect(left.link('eth0')).toBeUndefined()
    expect(right.link('eth0')).toMatchObject({ mac: '02:42:0a:09:00:02', mtu: 1400, up: false })
    right.setUp('eth0')
    right.addAddress('eth0', '10.9.0.2/24')
    right.addRoute({ to: 'default', via: '10.9.0.1' })
    expect(right.addresses('eth0').filter((one) => one.family === 'ipv4')).toEqual([
      {
        linkIndex: right.link('eth0')?.index,
        family: 'ipv4',
        cidr: '10.9.0.2/24',
        address: '10.9.0.2',
        prefix: 24,
      },
    ])

    const server = dgram.createSocket('udp4')
    const client = dgram.createSocket('udp4')
    try {
      server.on('message', (text, from) => server.send(`${text}, ${from.address}`, from.port, from.address))
      server.bind({ fd: bindUdp({ netns: b, address: '10.9.0.2', port: 53 }) })
      client.bind({ fd: bindUdp({ netns: a, address: '10.9.0.1', port: 0 }) })
      const answer = new Promise((resolve) => client.once('message', (text) => resolve(String(text))))
      client.send('hello', 53, '10.9.0.2')
      expect(await answer).toBe('hello, 10.9.0.1')
    } finally {
      server.close()
      client.close()
    }
    expect(right.link('eth0')?.stats?.rxPackets).toBeGreaterThan(0)
  }, 20_000)

  it('lists and deletes routes and addresses of both families', () => {
    left.createBridge('br0', { up: true })
    left.addAddress('br0', '10.9.0.1/16')
    left.addAddress('br0', 'fd00:9::1/64')
    left.addRoute({ to: '192.168.77.0/24', via: '10.9.0.9' })
    left.addRoute({ to: 'fd00:77::/64', link: 'br0' })
    const routes = left.routes()
    const linkIndex = left.link('br0')?.index
    expect(routes).toContainEqual({ family: 'ipv4', to: '192.168.77.0/24', via: '10.9.0.9', linkIndex })
    expect(routes).toContainEqual({ family: 'ipv6', to: 'fd00:77::/64', via: undefined, linkIndex })
    expect(left.subnetsInUse()).toEqual(
      expect.arrayContaining(['10.9.0.0/16', 'fd00:9::/64', '192.168.77.0/24', 'fd00:77::/64']),
    )
    left.deleteRoute({ to: '192.168.77.0/24', via: '10.9.0.9' })
    expect(left.routes().some((route) => route.to === '192.168.77.0/24')).toBe(false)
    left.deleteAddress('br0', '10.9.0.1/16')
    left.deleteAddress('br0', 'fd00:9::1/64')
    expect(left.addresses('br0').filter((one) => !one.address.startsWith('fe80'))).toEqual([])
  })

  it('changes, plugs, renames, moves and deletes devices', () => {
    left.createBridge('br0')
    left.createVeth('v0', { name: 'v1' })
    left.setMac('v0', '02:00:00:00:00:07')
    left.setMtu('v0', 1300)
    left.setMaster('v0', 'br0')
    left.setBridgePort('v0', { hairpin: true, isolated: true })
    expect(left.link('v0')).toMatchObject({
      mac: '02:00:00:00:00:07',
      mtu: 1300,
      master: left.link('br0')?.index,
    })
    left.setMaster('v0', undefined)
    expect(left.link('v0')?.master).toBeUndefined()
    left.rename('v0', 'wire')
    left.moveToNetns('v1', b)
    expect(
      left
        .links()
        .map((link) => link.name)
        .sort(),
    ).toEqual(['br0', 'lo', 'wire'])
    expect(right.link('v1')).toBeDefined()
    expect(left.deleteLink('wire')).toBe(true)
    expect(right.link('v1')).toBeUndefined()
    expect(left.deleteLink(4711)).toBe(false)
  })

  it('lists more devices than one message holds', () => {
    for (let n = 0; n < 40; n++) left.createVeth(`left${n}`, { name: `right${n}` })
    expect(left.links().length).toBe(81)
  })

  it('says what the kernel has against it', () => {
    left.createBridge('br0')
    expect(() => left.createBridge('br0')).toThrow(/bridge br0.*EEXIST/)
    expect(() => left.createBridge('a-name-beyond-15')).toThrow(SysError)
    expect(() => left.setUp('none')).toThrow(/link none.*ENODEV/)
    expect(() => left.addRoute({ to: 'default', via: '10.1.2.3' })).toThrow(/ENETUNREACH.*gateway/)
    expect(() => left.setMac('br0', 'nonsense')).toThrow(/not a MAC address/)
    expect(left.deleteLink('none')).toBe(false)
    left.setUp('br0') // and works on after all that
  })

  it('is closed once and for all', () => {
    left.close()
    left.close()
    expect(() => left.links()).toThrow(/closed/)
  })
})
