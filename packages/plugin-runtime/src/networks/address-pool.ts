import { denied, failed, invalid } from '@kernel/contracts'
import { contains, formatSubnet, lastOf, type Subnet, sizeOf, toNumber, toText } from './subnets.ts'

/**
 * The addresses of one network. A freed address comes round again only after all others: who still holds a
 * connection to the container that had it must not reach another one.
 */
export class AddressPool {
  private readonly used = new Set<number>()
  private readonly subnet: Subnet
  private readonly range: Subnet
  private next: number

  /**
   * @param options.range the part that addresses are picked from; static ones may be anywhere in the subnet
   * @throws invalid where gateway or range lie outside
   */
  constructor(options: { subnet: Subnet; gateway: string; range?: Subnet }) {
    const { subnet, gateway, range = subnet } = options
    const inside = contains(subnet, range.base) && contains(subnet, lastOf(range))
    if (!inside) throw invalid(`invalid ip-range ${formatSubnet(range)}: not in ${formatSubnet(subnet)}`)
    if (!contains(subnet, toNumber(gateway))) {
      throw invalid(`invalid gateway ${gateway}: parent subnet ${formatSubnet(subnet)} doesn't contain it`)
    }
    this.subnet = subnet
    this.range = range
    this.next = range.base
    this.used.add(toNumber(gateway))
    if (subnet.prefix < 31) {
      this.used.add(subnet.base)
      this.used.add(lastOf(subnet))
    }
  }

  /** The first usable address of a subnet: its gateway by custom. */
  static gatewayOf(subnet: Subnet): string {
    return toText(subnet.base + (subnet.prefix < 31 ? 1 : 0))
  }

  /** @throws invalid outside of the subnet, denied where it is taken, failed where all are */
  allocate(wanted?: string): string {
    if (wanted !== undefined) {
      const address = toNumber(wanted)
      if (!contains(this.subnet, address)) {
        throw invalid(`no configured subnet contains IP address ${wanted}`, {
          hint: `The network's subnet is ${formatSubnet(this.subnet)}`,
        })
      }
      if (this.used.has(address)) throw denied(`Address already in use: ${wanted}`)
      this.used.add(address)
      return wanted
    }
    const count = sizeOf(this.range)
    for (let i = 0; i < count; i++) {
      const address = this.next
      this.next = address === lastOf(this.range) ? this.range.base : address + 1
      if (this.used.has(address)) continue
      this.used.add(address)
      return toText(address)
    }
    throw failed(`no available IPv4 addresses in ${formatSubnet(this.range)}`, {
      hint: 'Remove containers of this network, or make one with a larger subnet',
    })
  }

  /** Takes an address that is known to be in use, after a restart. */
  mark(address: string): void {
    const number = toNumber(address)
    this.used.add(number)
    if (contains(this.range, number) && number >= this.next) {
      this.next = number === lastOf(this.range) ? this.range.base : number + 1
    }
  }

  release(address: string): void {
    this.used.delete(toNumber(address))
  }
}
