/** Who is called what on each network. One name may stand for several containers. */
export class NameTable {
  private readonly byName = new Map<string, Map<string, Set<string>>>()
  private readonly byAddress = new Map<string, string>()

  add(network: string, names: string[], address: string): void {
    const table = this.byName.get(network) ?? new Map<string, Set<string>>()
    this.byName.set(network, table)
    for (const name of names) {
      const addresses = table.get(name.toLowerCase()) ?? new Set()
      table.set(name.toLowerCase(), addresses.add(address))
    }
    if (names[0] !== undefined) this.byAddress.set(`${network} ${address}`, names[0])
  }

  remove(network: string, names: string[], address: string): void {
    const table = this.byName.get(network)
    for (const name of names) {
      const addresses = table?.get(name.toLowerCase())
      addresses?.delete(address)
      if (addresses?.size === 0) table?.delete(name.toLowerCase())
    }
    if (table?.size === 0) this.byName.delete(network)
    this.byAddress.delete(`${network} ${address}`)
  }

  /** Addresses under a name in lower case, in turning order: clients tend to take the first. */
  addresses(network: string, name: string): string[] {
    const addresses = this.byName.get(network)?.get(name)
    if (!addresses) return []
    const [first] = addresses
    if (addresses.size > 1 && first !== undefined) {
      addresses.delete(first)
      addresses.add(first)
    }
    return [...addresses]
  }

  /** The container's name at an address. */
  nameOf(network: string, address: string): string | undefined {
    return this.byAddress.get(`${network} ${address}`)
  }
}
