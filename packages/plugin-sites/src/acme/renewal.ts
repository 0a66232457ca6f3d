/** When a certificate is due. @module */
import type { AcmeRecord } from '../store/records.ts'

/** A third of the lifetime is left: for 90 days, 30 (RFC 8555 says nothing; Let's Encrypt advises it). */
export function renewAfter({ notBefore, notAfter }: { notBefore: string; notAfter: string }): Date {
  const [begin, end] = [Date.parse(notBefore), Date.parse(notAfter)]
  return new Date(end - (end - begin) / 3)
}

export interface Holding {
  source: 'upload' | 'self-signed' | 'acme'
  hosts: string[]
  notBefore: string
  notAfter: string
}

/** Why a certificate has to be got now; undefined where it has not. */
export function reasonToRenew(
  held: Holding | undefined,
  wanted: readonly string[],
  now: Date,
): string | undefined {
  if (held === undefined || held.source !== 'acme') return 'there is none yet'
  const missing = wanted.filter((host) => !held.hosts.includes(host))
  if (missing.length > 0) return `it is not for ${missing.join(', ')}`
  return now >= renewAfter(held) ? `it ends at ${held.notAfter}` : undefined
}

/** After so many failures: twice as long each time, at most a day. */
export const retryDelayMs = (failures: number, firstSec: number): number =>
  Math.min(86_400, firstSec * 2 ** Math.min(20, failures - 1)) * 1000

/** Whether what failed waits for its time. */
export const waits = ({ nextAttempt }: Pick<AcmeRecord, 'nextAttempt'>, now: Date): boolean =>
  nextAttempt !== undefined && now.getTime() < Date.parse(nextAttempt)

/** Names that no public server can look for: wildcards need DNS, and `localhost` is every machine's own. */
export const publicHosts = (domains: readonly string[]): string[] =>
  domains.filter(
    (domain) => domain.includes('.') && !domain.startsWith('*.') && !domain.endsWith('.localhost'),
  )
