/** The disk ledger: who pins which bytes of the data dir. @module */
import { defineService } from '@kernel/kernel'

export interface LedgerEntry {
  /** `blob`, `layer`, `snapshot`, `image`, `container`, `volume`, `artifact`, `repository`, `build-cache`, ... */
  kind: string
  id: string
  /** Bytes on disk of this entry alone. */
  bytes: number
  /** What keeps it: `image busybox:latest`, `release hello v3`, `build cache`; empty: garbage to be collected. */
  pinnedBy: string[]
}

export interface Ledger {
  /** Sorted by kind, then id. */
  entries(): Promise<LedgerEntry[]>
}
/** The runtime's ledger; other plugins add theirs by the hook `disk-ledger`. */
export const Ledger = defineService<Ledger>('ledger')
