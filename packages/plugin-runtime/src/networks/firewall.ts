import type { Logger } from '@kernel/kernel'
import {
  type BridgeRules,
  bridgeCommands,
  type PortRule,
  portCommands,
  renderTable,
} from './firewall-rules.ts'
import { NftSession } from './nft-session.ts'

/** Our one nftables table. It holds what it was told, so that it can be made anew where someone flushed it. */
export class Firewall {
  private readonly nft = new NftSession()
  private readonly table: string
  private readonly log: Logger
  private readonly bridges = new Map<string, BridgeRules>()
  private readonly ports = new Set<PortRule>()

  constructor(table: string, log: Logger) {
    this.table = table
    this.log = log
  }

  /** Replaces the whole table, in one transaction: ports of running containers do not blink. */
  async replace(bridges: BridgeRules[], ports: PortRule[]): Promise<void> {
    this.bridges.clear()
    this.ports.clear()
    for (const bridge of bridges) this.bridges.set(bridge.link, bridge)
    for (const port of ports) this.ports.add(port)
    await this.render()
  }

  async addBridge(bridge: BridgeRules): Promise<void> {
    this.bridges.set(bridge.link, bridge)
    await this.change(bridgeCommands(this.table, 'add', bridge))
  }

  async removeBridge(link: string): Promise<void> {
    const bridge = this.bridges.get(link)
    if (!bridge) return
    this.bridges.delete(link)
    await this.change(bridgeCommands(this.table, 'delete', bridge))
  }

  /** Opens ports. Keep the objects: they name what is to be closed. */
  async open(ports: PortRule[]): Promise<void> {
    for (const port of ports) this.ports.add(port)
    await this.change(portCommands(this.table, 'add', ports))
  }

  async shut(ports: PortRule[]): Promise<void> {
    const ours = ports.filter((port) => this.ports.delete(port))
    await this.change(portCommands(this.table, 'delete', ours))
  }

  async remove(): Promise<void> {
    this.bridges.clear()
    this.ports.clear()
    await this.nft.script(`table ip ${this.table} {}\ndelete table ip ${this.table}\n`)
  }

  /** Leaves the rules in force. */
  async close(): Promise<void> {
    await this.nft.close()
  }

  private async change(commands: string): Promise<void> {
    try {
      await this.nft.command(commands)
    } catch (error) {
      // `nft flush ruleset` by an admin or a firewall that restarts takes our table along.
      this.log.warn('our nftables table is not as it was left; it is made anew', {
        table: this.table,
        error: (error as Error).message,
      })
      await this.render()
    }
  }

  private render(): Promise<void> {
    return this.nft.script(renderTable(this.table, [...this.bridges.values()], [...this.ports]))
  }
}
