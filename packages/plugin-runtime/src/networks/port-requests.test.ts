import { describe, expect, test } from 'vitest'
import { PortHolds } from './port-holds.ts'
import { knownPorts, portRequests } from './port-requests.ts'
import { portMapOf } from './sandbox-plan.ts'

const config = { Image: 'x', ExposedPorts: { '80/tcp': {}, '53/udp': {}, '9000/tcp': {} } }

describe('port requests', () => {
  test('come from bindings, with ranges and addresses', () => {
    const PortBindings = {
      '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '8080' }, { HostPort: '9000-9010' }],
      '53/udp': [],
    }
    expect(portRequests(config, { PortBindings })).toEqual([
      { protocol: 'tcp', containerPort: 80, hostIp: '127.0.0.1', firstPort: 8080, lastPort: 8080 },
      { protocol: 'tcp', containerPort: 80, hostIp: '0.0.0.0', firstPort: 9000, lastPort: 9010 },
      { protocol: 'udp', containerPort: 53, hostIp: '0.0.0.0', firstPort: 0, lastPort: 0 },
    ])
  })

  test('or from what the image exposes, bindings going first', () => {
    const hostConfig = { PublishAllPorts: true, PortBindings: { '80': [{ HostPort: '8080' }] } }
    const all = portRequests(config, hostConfig, '10.0.0.1')
    expect(all.map((one) => [one.containerPort, one.protocol, one.firstPort])).toEqual([
      [80, 'tcp', 8080],
      [53, 'udp', 0],
      [9000, 'tcp', 0],
    ])
    expect(all[1]?.hostIp).toBe('10.0.0.1')
    expect(knownPorts(config, hostConfig)).toEqual(['80/tcp', '53/udp', '9000/tcp'])
  })

  test.each([
    [{ '0/tcp': [{}] }, 'invalid port specification: "0/tcp"'],
    [{ '70000': [{}] }, 'invalid port specification: "70000"'],
    [{ '80/sctp': [{}] }, 'protocol sctp cannot be published'],
    [{ '80': [{ HostPort: '90-80' }] }, 'invalid host port: "90-80"'],
    [{ '80': [{ HostPort: 'http' }] }, 'invalid host port: "http"'],
    [{ '80': [{ HostIp: '::1' }] }, 'invalid host address to publish a port at: ::1'],
  ])('%j is refused', (PortBindings, message) => {
    expect(() => portRequests(config, { PortBindings })).toThrow(message)
  })

  test('inspect shows exposed ports that are not published as null', () => {
    const published = [{ protocol: 'tcp' as const, hostIp: '0.0.0.0', hostPort: 8080, containerPort: 80 }]
    expect(portMapOf(config, {}, published)).toEqual({
      '80/tcp': [{ HostIp: '0.0.0.0', HostPort: '8080' }],
      '53/udp': null,
      '9000/tcp': null,
    })
  })
})

describe('held ports', () => {
  const at = (firstPort: number, lastPort = firstPort) => ({
    protocol: 'tcp' as const,
    containerPort: 80,
    hostIp: '127.0.0.1',
    firstPort,
    lastPort,
  })

  test('are given once; a range gives its next, a released one is free again', () => {
    const holds = new PortHolds()
    try {
      const first = holds.take(at(0))
      const { hostPort } = first
      expect(() => holds.take(at(hostPort))).toThrow(
        `Bind for 127.0.0.1:${hostPort} failed: port is already allocated`,
      )
      const next = holds.take(at(hostPort, hostPort + 20))
      expect(next.hostPort).toBeGreaterThan(hostPort)
      expect(holds.take(at(0)).hostPort).not.toBe(hostPort)
      holds.release(first)
      expect(holds.take(at(hostPort)).hostPort).toBe(hostPort)
    } finally {
      holds.close()
    }
  })

  test('an address that is not ours is named as the reason', () => {
    const holds = new PortHolds()
    expect(() => holds.take({ ...at(0), hostIp: '203.0.113.77' })).toThrow('cannot assign requested address')
    holds.close()
  })
})
