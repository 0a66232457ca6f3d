import { describe, expect, test } from 'vitest'
import { extraHosts, hostsFor, parseResolvConf, reachableServers, resolvConfFor } from './host-files.ts'

const host = parseResolvConf(`# comment
domain old.example
search corp.example lan
nameserver 127.0.0.53 # stub
nameserver 192.0.2.53
nameserver not-an-address
nameserver fe80::1%eth0
options edns0 timeout:1
`)

describe('resolv.conf', () => {
  test('is read as the C library reads it', () => {
    expect(host).toEqual({
      servers: ['127.0.0.53', '192.0.2.53', 'fe80::1%eth0'],
      search: ['corp.example', 'lan'],
      options: ['edns0', 'timeout:1'],
    })
  })

  test('servers on the loopback are not for containers; those behind the stub are', () => {
    expect(reachableServers(host)).toEqual(['192.0.2.53', 'fe80::1%eth0'])
    const stub = { servers: ['127.0.0.53'], search: [], options: [] }
    expect(reachableServers(stub, () => ({ ...stub, servers: ['192.0.2.1'] }))).toEqual(['192.0.2.1'])
    expect(reachableServers(stub, () => stub)).toEqual([])
  })

  test('of a container names our server, or those asked for', () => {
    expect(resolvConfFor({}, true, host)).toBe(
      'nameserver 127.0.0.11\nsearch corp.example lan\noptions timeout:1 ndots:0\n',
    )
    const asked = { Dns: ['9.9.9.9'], DnsSearch: ['.'], DnsOptions: ['ndots:3'] }
    expect(resolvConfFor(asked, false, host)).toBe('nameserver 9.9.9.9\noptions ndots:3\n')
    expect(resolvConfFor(asked, true, host)).toBe('nameserver 127.0.0.11\noptions ndots:3\n')
    expect(asked.DnsOptions).toEqual(['ndots:3'])
  })
})

describe('hosts', () => {
  test('names the container by all its addresses', () => {
    const text = hostsFor({
      addresses: ['10.0.0.2', '10.1.0.2'],
      hostname: 'web',
      domainname: 'example',
      extra: [],
    })
    expect(text).toMatch(/^127\.0\.0\.1\tlocalhost\n/)
    expect(text).toMatch(/10\.0\.0\.2\tweb\.example web\n10\.1\.0\.2\tweb\.example web\n$/)
  })

  test('takes more hosts in both spellings, and the gateway by its word', () => {
    const ExtraHosts = ['a:10.0.0.9', 'b=::1', 'c:[fd00::1]', 'host.docker.internal:host-gateway']
    expect(extraHosts({ ExtraHosts }, '10.0.0.1')).toEqual([
      { name: 'a', address: '10.0.0.9' },
      { name: 'b', address: '::1' },
      { name: 'c', address: 'fd00::1' },
      { name: 'host.docker.internal', address: '10.0.0.1' },
    ])
    expect(() => extraHosts({ ExtraHosts: ['nothing'] }, '10.0.0.1')).toThrow('bad format for add-host')
    expect(() => extraHosts({ ExtraHosts: ['a b:10.0.0.1'] }, '10.0.0.1')).toThrow('bad format for add-host')
    expect(() => extraHosts({ ExtraHosts: ['a:somewhere'] }, '10.0.0.1')).toThrow('invalid IP address')
  })
})
