import { randomBytes } from 'node:crypto'
import { conflict, invalid, notFound } from '@kernel/contracts'
import type { Collection } from '@kernel/state'
import { AddressPool } from './address-pool.ts'
import { isBridge } from './bridges.ts'
import type { NetworkRecord } from './records.ts'
import { parseSubnet, type Subnet } from './subnets.ts'

/** The networks there are: recorded, and each bridge with its addresses. */
export class NetworkStore {
  private readonly byId = new Map<string, NetworkRecord>()
  private readonly pools = new Map<string, AddressPool>()
  private readonly records: Collection<NetworkRecord>

  constructor(records: Collection<NetworkRecord>) {
    this.records = records
    for (const record of records.list()) this.keep(record)
  }

  all(): NetworkRecord[] {
    return [...this.byId.values()]
  }

  get(id: string): NetworkRecord | undefined {
    return this.byId.get(id)
  }

  byName(name: string): NetworkRecord | undefined {
    return this.all().find((record) => record.name === name)
  }

  /** By id, name, or the beginning of an id. @throws notFound, invalid where several begin so */
  find(ref: string): NetworkRecord {
    const exact = this.byId.get(ref) ?? this.byName(ref)
    if (exact) return exact
    const found = ref === '' ? [] : this.all().filter((record) => record.id.startsWith(ref))
    if (found.length > 1) {
      throw invalid(`network ${ref} is ambiguous (${found.length} matches found on ID prefix)`)
    }
    if (!found[0]) throw notFound(`network ${ref} not found`)
    return found[0]
  }

  /** Subnets of all networks but one. */
  subnets(except?: string): Subnet[] {
    return this.all()
      .filter((record) => record.id !== except)
      .flatMap((record) => (record.subnet ? [parseSubnet(record.subnet)] : []))
  }

  /**
   * Records it durably.
   * @param linkOf names its bridge
   * @throws conflict where the name is taken, invalid where gateway or range lie outside
   */
  add(options: Omit<NetworkRecord, 'id' | 'created'>, linkOf?: (id: string) => string): NetworkRecord {
    if (this.byName(options.name)) throw conflict(`network with name ${options.name} already exists`)
    const id = randomBytes(32).toString('hex')
    const link = linkOf && { link: linkOf(id) }
    return this.put({ ...options, ...link, id, created: new Date().toISOString() })
  }

  put(record: NetworkRecord): NetworkRecord {
    this.keep(record)
    this.records.put(record.id, record)
    return record
  }

  remove(record: NetworkRecord): void {
    this.records.delete(record.id)
    this.byId.delete(record.id)
    this.pools.delete(record.id)
  }

  /** The addresses of a bridge network. */
  pool(id: string): AddressPool {
    const pool = this.pools.get(id)
    if (!pool) throw invalid(`network ${this.byId.get(id)?.name ?? id} has no addresses to give`)
    return pool
  }

  private keep(record: NetworkRecord): void {
    if (isBridge(record)) {
      const range = record.ipRange === undefined ? undefined : parseSubnet(record.ipRange)
      const { gateway } = record
      this.pools.set(
        record.id,
        new AddressPool({ subnet: parseSubnet(record.subnet), gateway, ...(range && { range }) }),
      )
    }
    this.byId.set(record.id, record)
  }
}
