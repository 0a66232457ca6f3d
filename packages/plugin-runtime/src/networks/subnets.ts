import { invalid } from '@kernel/contracts'
import ipaddr from 'ipaddr.js'

/** An IPv4 network; addresses are numbers of 32 bits. */
export interface Subnet {
  base: number
  prefix: number
}

/** Where new networks get their subnets from, as Docker's `default-address-pools`. */
export interface SubnetPool {
  /** For example `172.16.0.0/12`. */
  base: string
  /** Prefix length of the subnets cut from it. */
  size: number
}

/** 256 networks of 4,093 containers each, in the range that Docker's users expect. */
export const DEFAULT_POOLS: SubnetPool[] = [
  { base: '172.16.0.0/12', size: 20 },
  { base: '192.168.0.0/16', size: 24 },
]

export function isIPv4(text: string): boolean {
  return ipaddr.IPv4.isValidFourPartDecimal(text)
}

/** @throws invalid */
export function toNumber(address: string): number {
  if (!isIPv4(address)) throw invalid(`invalid IPv4 address: ${address}`)
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
}

export function toText(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.')
}

/** Number of addresses. */
export function sizeOf(subnet: Subnet): number {
  return 2 ** (32 - subnet.prefix)
}

/** The last address: broadcast. */
export function lastOf(subnet: Subnet): number {
  return subnet.base + sizeOf(subnet) - 1
}

/** `10.0.0.0/24`; host bits are cut off. @throws invalid in Docker's words */
export function parseSubnet(text: string): Subnet {
  const [address = '', bits = ''] = text.split('/')
  const prefix = Number(bits)
  if (!isIPv4(address) || !/^\d{1,2}$/.test(bits) || prefix > 32) {
    throw invalid(`invalid subnet ${text}: invalid CIDR block notation`)
  }
  const size = 2 ** (32 - prefix)
  return { base: Math.floor(toNumber(address) / size) * size, prefix }
}

export function formatSubnet(subnet: Subnet): string {
  return `${toText(subnet.base)}/${subnet.prefix}`
}

export function contains(subnet: Subnet, address: number): boolean {
  return address >= subnet.base && address <= lastOf(subnet)
}

export function overlaps(a: Subnet, b: Subnet): boolean {
  return a.base <= lastOf(b) && b.base <= lastOf(a)
}

/**
 * The first subnet of the pools that overlaps none in use.
 * @param start where the search begins within each pool: daemons on one machine that begin at different places
 *   do not race for the same subnet
 */
export function pickSubnet(pools: SubnetPool[], used: Subnet[], start = 0): Subnet | undefined {
  for (const pool of pools) {
    const whole = parseSubnet(pool.base)
    const count = 2 ** (pool.size - whole.prefix)
    for (let i = 0; i < count; i++) {
      const base = whole.base + ((start + i) % count) * 2 ** (32 - pool.size)
      const candidate = { base, prefix: pool.size }
      if (!used.some((one) => overlaps(one, candidate))) return candidate
    }
  }
  return undefined
}

/** Docker's rule: the address follows from the IP, so that a neighbour's ARP entry stays right. */
export function macOf(address: string): string {
  const bytes = [0x02, 0x42, ...address.split('.').map(Number)]
  return bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(':')
}
