import { denied, failed, invalid, type NetworkCreate } from '@kernel/contracts'
import type { Logger } from '@kernel/kernel'
import type { Netlink } from '@kernel/sys'
import { AddressPool } from './address-pool.ts'
import {
  BRIDGE_OPTION,
  type BridgeRecord,
  ensureBridge,
  hostSubnets,
  isBridge,
  isFree,
  rulesOf,
} from './bridges.ts'
import type { Firewall } from './firewall.ts'
import type { InstanceNames } from './names.ts'
import type { NetworkStore } from './network-store.ts'
import type { NetworkRecord } from './records.ts'
import { formatSubnet, parseSubnet, pickSubnet, type Subnet, type SubnetPool } from './subnets.ts'

export interface MakerOptions {
  store: NetworkStore
  netlink: Netlink
  firewall: Firewall
  names: InstanceNames
  log: Logger
  pools: SubnetPool[]
}

/** Two daemons may pick the same subnet at the same moment: who sees the other's picks again. */
const ATTEMPTS = 5

/** Makes and removes networks: record, bridge, rules. */
export class NetworkMaker {
  private readonly options: MakerOptions

  constructor(options: MakerOptions) {
    this.options = options
  }

  /** @throws denied where the subnet is taken, invalid for what is no subnet */
  async create(body: NetworkCreate): Promise<NetworkRecord> {
    const { store, netlink, firewall, names, log } = this.options
    const wanted = (body.IPAM?.Config ?? []).find((one) => !one.Subnet?.includes(':'))
    const link = body.Options?.[BRIDGE_OPTION.name]
    if (link !== undefined && (!/^[a-zA-Z0-9_.-]{1,15}$/.test(link) || netlink.link(link))) {
      throw invalid(`bridge name ${link} cannot be used: it is taken, or no name of a device`)
    }
    for (let attempt = 1; ; attempt++) {
      const subnet = wanted?.Subnet ? this.checked(parseSubnet(wanted.Subnet)) : this.pick(attempt)
      const asked = {
        name: body.Name,
        driver: 'bridge' as const,
        predefined: false,
        internal: body.Internal ?? false,
        attachable: body.Attachable ?? false,
        labels: body.Labels ?? {},
        options: body.Options ?? {},
        ipamOptions: body.IPAM?.Options ?? null,
        subnet: formatSubnet(subnet),
        gateway: wanted?.Gateway || AddressPool.gatewayOf(subnet),
        ...(wanted?.IPRange && { ipRange: formatSubnet(parseSubnet(wanted.IPRange)) }),
      }
      const bridge = store.add(asked, (id) => link ?? names.bridgeOf(id)) as BridgeRecord
      try {
        ensureBridge(netlink, bridge, log)
        if (wanted?.Subnet || attempt === ATTEMPTS || this.isAlone(bridge)) {
          await firewall.addBridge(rulesOf(bridge))
          return bridge
        }
      } catch (error) {
        await this.remove(bridge)
        throw error
      }
      await this.remove(bridge)
    }
  }

  async remove(record: NetworkRecord): Promise<void> {
    const { store, netlink, firewall } = this.options
    if (isBridge(record)) {
      await firewall.removeBridge(record.link)
      netlink.deleteLink(record.link)
    }
    store.remove(record)
  }

  /** Makes the networks that are always there. */
  predefine(subnet: string | undefined, link: string | undefined): void {
    const { store, names, netlink, log } = this.options
    const base = {
      predefined: true,
      internal: false,
      attachable: false,
      labels: {},
      options: {},
      ipamOptions: null,
    }
    for (const [name, driver] of [
      ['host', 'host'],
      ['none', 'null'],
    ] as const) {
      if (!store.byName(name)) store.add({ ...base, name, driver })
    }
    const known = store.byName('bridge')
    const name = link ?? known?.link ?? names.defaultBridge
    const up = known?.link !== undefined && netlink.link(known.link) !== undefined
    if (known?.subnet && (up || !this.mustMove(known.subnet, subnet)) && known.link === name) return
    const chosen = subnet === undefined ? this.pick(1) : parseSubnet(subnet)
    const place = { subnet: formatSubnet(chosen), gateway: AddressPool.gatewayOf(chosen), link: name }
    if (known) {
      log.info(`the default network moves from ${known.subnet} to ${place.subnet}`)
      store.put({ ...known, ...place })
    } else store.add({ ...base, ...place, name: 'bridge', driver: 'bridge' })
  }

  /** After a reboot: whether the default network has to leave its subnet to someone else, or to the config. */
  private mustMove(known: string, configured: string | undefined): boolean {
    if (configured !== undefined) return formatSubnet(parseSubnet(configured)) !== known
    return !isFree(parseSubnet(known), this.used())
  }

  /** What others on this machine use; our own bridges are known by their records. */
  private used(): Subnet[] {
    const { netlink, names } = this.options
    return hostSubnets(netlink, (link) => names.ownsBridge(link))
  }

  private pick(attempt: number): Subnet {
    const { store, names, pools } = this.options
    const picked = pickSubnet(pools, [...this.used(), ...store.subnets()], names.seed + (attempt - 1) * 7)
    if (picked) return picked
    throw failed('all predefined address pools have been fully subnetted', {
      hint: 'Remove unused networks, or configure larger pools',
    })
  }

  private checked(subnet: Subnet): Subnet {
    const { store } = this.options
    if (!isFree(subnet, [...this.used(), ...store.subnets()])) {
      throw denied('invalid pool request: Pool overlaps with other one on this address space', {
        hint: `${formatSubnet(subnet)} is in use on this machine: ip route`,
      })
    }
    return subnet
  }

  /** Whether no one else took the subnet while we did. */
  private isAlone(bridge: BridgeRecord): boolean {
    const others = hostSubnets(this.options.netlink, (link) => link === bridge.link)
    return isFree(parseSubnet(bridge.subnet), others)
  }
}
