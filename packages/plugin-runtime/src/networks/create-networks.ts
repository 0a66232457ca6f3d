import fs from 'node:fs'
import path from 'node:path'
import { type Events, type Networks, unavailable } from '@kernel/contracts'
import type { Logger } from '@kernel/kernel'
import { ensureDir, openDatabase } from '@kernel/state'
import { available, Netlink } from '@kernel/sys'
import type { Sandboxes } from '../parts.ts'
import { ensureBridge, isBridge, rulesOf } from './bridges.ts'
import { Firewall } from './firewall.ts'
import { instanceNames } from './names.ts'
import { NetworkMaker } from './network-maker.ts'
import { NetworkStore } from './network-store.ts'
import { createNetworksService } from './networks.ts'
import { PortHolds } from './port-holds.ts'
import { openRecords } from './records.ts'
import { SandboxManager } from './sandboxes.ts'
import { DEFAULT_POOLS, type SubnetPool } from './subnets.ts'
import { setSysctls } from './sysctl.ts'

export interface NetworksOptions {
  /** Holds `db/networks.db`. */
  dataDir: string
  log: Logger
  events: Events
  /** A short hash of the data dir: all global names contain it. 4 to 16 lower-case letters and digits. */
  instance: string
  config?: {
    /** Name of the default network's bridge. */
    bridge?: string
    /** The default network, for example `172.20.0.0/16`; otherwise a free one is picked and remembered. */
    subnet?: string
    /** Where networks get their subnets from. */
    pool?: SubnetPool[]
  }
}

export interface NetworksPart {
  networks: Networks
  sandboxes: Sandboxes
  /** Lets go of everything in this process; containers stay connected and published. */
  close(): Promise<void>
  /** Removes every trace of this instance from the machine. Its networks' records stay. */
  purge(): Promise<void>
}

/**
 * Brings up the networks of this data dir: bridges, the nftables table with the ports of containers that may
 * still run, forwarding. Call `sandboxes.restore` next, with the containers that really run.
 * @throws unavailable without root or foreign calls
 */
export async function createNetworks(options: NetworksOptions): Promise<NetworksPart> {
  const { dataDir, log, events, config = {} } = options
  const calls = available()
  if (!calls.ok) throw unavailable(`networks cannot be had here: ${calls.reason}`)
  if (process.getuid?.() !== 0) {
    throw unavailable('networks of containers need root', { hint: 'Run the daemon as root' })
  }
  const names = instanceNames(options.instance)
  await ensureDir(path.join(dataDir, 'db'))
  const db = openDatabase(path.join(dataDir, 'db', 'networks.db'))
  const netlink = new Netlink()
  const firewall = new Firewall(names.table, log)
  const holds = new PortHolds()
  try {
    const records = openRecords(db)
    const store = new NetworkStore(records.networks)
    const pools = config.pool ?? DEFAULT_POOLS
    const maker = new NetworkMaker({ store, netlink, firewall, names, log, pools })
    maker.predefine(config.subnet, config.bridge)
    setSysctls({ 'ipv4/ip_forward': '1' }, log)
    const bridges = store.all().filter(isBridge)
    for (const bridge of bridges) {
      try {
        ensureBridge(netlink, bridge, log)
      } catch (error) {
        log.error(`network ${bridge.name} could not be brought up`, { error: (error as Error).message })
      }
    }
    for (const link of netlink.links()) {
      const known = bridges.some((one) => one.link === link.name)
      if (!known && names.ownsBridge(link.name)) netlink.deleteLink(link)
    }
    const context = { store, records: records.sandboxes, netlink, firewall, holds, names, events, log }
    const sandboxes = new SandboxManager(context)
    await firewall.replace(bridges.map(rulesOf), sandboxes.rules())

    const close = async () => {
      sandboxes.close()
      await firewall.close()
      netlink.close()
      db.close()
    }
    const purge = async () => {
      await sandboxes.purge()
      await firewall.remove()
      for (const link of netlink.links()) {
        if (names.ownsBridge(link.name) || bridges.some((one) => one.link === link.name))
          netlink.deleteLink(link)
      }
      for (const dir of [names.netnsDir, path.dirname(names.netnsDir)]) {
        if (fs.existsSync(dir) && fs.readdirSync(dir).length === 0) fs.rmdirSync(dir)
      }
    }
    return { networks: createNetworksService({ store, maker, sandboxes, events }), sandboxes, close, purge }
  } catch (error) {
    await firewall.close()
    netlink.close()
    db.close()
    throw error
  }
}
