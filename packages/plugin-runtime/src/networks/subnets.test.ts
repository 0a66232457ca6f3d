import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AddressPool } from './address-pool.ts'
import {
  contains,
  formatSubnet,
  macOf,
  overlaps,
  parseSubnet,
  pickSubnet,
  toNumber,
  toText,
} from './subnets.ts'

describe('subnets', () => {
  test('are read, cut to their network, and written', () => {
    expect(formatSubnet(parseSubnet('10.1.2.3/24'))).toBe('10.1.2.0/24')
    expect(formatSubnet(parseSubnet('255.255.255.255/32'))).toBe('255.255.255.255/32')
    expect(formatSubnet(parseSubnet('1.2.3.4/0'))).toBe('0.0.0.0/0')
    for (const wrong of [
      '10.0.0.0',
      '10.0.0/8',
      '10.0.0.0/33',
      '10.0.0.256/8',
      'fd00::/64',
      '10.0.0.0/8x',
      '',
    ]) {
      expect(() => parseSubnet(wrong)).toThrow('invalid subnet')
    }
  })

  test('addresses are numbers and back', () => {
    fc.assert(fc.property(fc.ipV4(), (address) => toText(toNumber(address)) === address))
  })

  test('overlap is containment of an end, both ways', () => {
    const subnet = fc
      .tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 }))
      .map(([ip, bits]) => parseSubnet(`${ip}/${bits}`))
    fc.assert(
      fc.property(subnet, subnet, (a, b) => {
        const expected = contains(a, b.base) || contains(b, a.base)
        return overlaps(a, b) === expected && overlaps(b, a) === expected
      }),
    )
  })

  test('the first free one of the pools is picked, from where the search starts', () => {
    const pools = [
      { base: '10.0.0.0/23', size: 24 },
      { base: '10.9.0.0/24', size: 24 },
    ]
    const pick = (used: string[], start = 0) => {
      const found = pickSubnet(pools, used.map(parseSubnet), start)
      return found && formatSubnet(found)
    }
    expect(pick([])).toBe('10.0.0.0/24')
    expect(pick([], 1)).toBe('10.0.1.0/24')
    expect(pick([], 2)).toBe('10.0.0.0/24')
    expect(pick(['10.0.0.77/32'])).toBe('10.0.1.0/24')
    expect(pick(['10.0.0.0/16'])).toBe('10.9.0.0/24')
    expect(pick(['10.0.0.0/8'])).toBeUndefined()
  })

  test('the hardware address follows from the address', () => {
    expect(macOf('172.17.0.2')).toBe('02:42:ac:11:00:02')
  })
})

describe('addresses of a network', () => {
  const subnet = parseSubnet('10.0.0.0/29')

  test('are each given once, never network, gateway or broadcast', () => {
    const pool = new AddressPool({ subnet, gateway: '10.0.0.1' })
    const given = [1, 2, 3, 4, 5].map(() => pool.allocate())
    expect(given).toEqual(['10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.5', '10.0.0.6'])
    expect(() => pool.allocate()).toThrow('no available IPv4 addresses')
    pool.release('10.0.0.4')
    expect(pool.allocate()).toBe('10.0.0.4')
  })

  test('that are freed come round last', () => {
    const pool = new AddressPool({ subnet, gateway: '10.0.0.1' })
    expect(pool.allocate()).toBe('10.0.0.2')
    pool.release('10.0.0.2')
    expect(pool.allocate()).toBe('10.0.0.3')
    pool.mark('10.0.0.5')
    expect(pool.allocate()).toBe('10.0.0.6')
    expect(pool.allocate()).toBe('10.0.0.2')
  })

  test('may be asked for, once, and within the subnet', () => {
    const pool = new AddressPool({ subnet, gateway: '10.0.0.1', range: parseSubnet('10.0.0.4/30') })
    expect(pool.allocate('10.0.0.2')).toBe('10.0.0.2')
    expect(() => pool.allocate('10.0.0.2')).toThrow('Address already in use')
    expect(() => pool.allocate('10.0.0.1')).toThrow('Address already in use')
    expect(() => pool.allocate('10.0.1.1')).toThrow('no configured subnet contains IP address 10.0.1.1')
    expect(pool.allocate()).toBe('10.0.0.4')
  })

  test('gateway and range lie inside', () => {
    expect(() => new AddressPool({ subnet, gateway: '10.0.0.9' })).toThrow('invalid gateway')
    expect(() => new AddressPool({ subnet, gateway: '10.0.0.1', range: parseSubnet('10.0.0.0/24') })).toThrow(
      'invalid ip-range',
    )
  })
})
