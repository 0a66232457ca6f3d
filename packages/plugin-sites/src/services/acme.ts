import {
  type Acme,
  type AcmeReport,
  conflict,
  failed,
  notFound,
  type OnLine,
  problemOf,
} from '@kernel/contracts'
import { describeError } from '@kernel/kernel'
import { KeyedMutex } from '@kernel/state'
import { type Issuer, parseAcmeSetting } from '../acme/issuer.ts'
import { reasonToRenew, renewAfter, retryDelayMs, waits } from '../acme/renewal.ts'
import { appIsThere, checkApp, everyApp, type Platform } from '../platform.ts'
import type { AcmeRecord } from '../store/records.ts'
import type { CertificateBook } from './certificates.ts'

export interface AcmeKeeper extends Acme {
  /** Renews what is due and does not wait for a later attempt; failures are in the log and in `list`. Never rejects. */
  renewDue(): Promise<void>
  /** When the next attempt of what failed is due, in milliseconds since 1970. */
  nextAttempt(): number | undefined
}

/** A problem's message has its cause in it. */
const reasonOf = (error: unknown) => problemOf(error)?.message ?? describeError(error)

export function createAcme(platform: Platform, certificates: CertificateBook, issuer: Issuer): AcmeKeeper {
  const { store, settings, log } = platform
  // One at a time: servers limit how much is asked of them side by side.
  const turns = new KeyedMutex()
  const inTurn = <T>(work: () => Promise<T>) => turns.run('', work)
  const enabled = () => store.acmeList().filter((record) => record.enabled)

  async function reportOf(record: AcmeRecord): Promise<AcmeReport> {
    const { directory: _, ...inForce } = issuer.settingsOf(record)
    const { app, failures, error, nextAttempt } = record
    const held = await heldBy(app)
    return {
      app,
      enabled: record.enabled,
      ...inForce,
      hosts: held?.hosts ?? [],
      ...(held && { notAfter: held.notAfter }),
      ...(held && record.enabled && { renewAfter: renewAfter(held).toISOString() }),
      ...(error !== undefined && { error }),
      failures,
      ...(nextAttempt !== undefined && { nextAttempt }),
    }
  }

  /** The app's certificate, where it is one of ACME. */
  async function heldBy(app: string) {
    if (store.findCertificate(app)?.source !== 'acme') return undefined
    return certificates.report(app).catch(() => undefined)
  }

  const reasonFor = async (app: string) =>
    reasonToRenew(await heldBy(app), await issuer.hostsOf(app), new Date())

  /** Says of each app what came of it. @returns the apps whose renewal failed, with why */
  async function renewEach(records: AcmeRecord[], onLine?: OnLine): Promise<Map<string, unknown>> {
    const failures = new Map<string, unknown>()
    for (const { app } of records) {
      if (platform.signal.aborted) break
      const reason = await reasonFor(app)
      if (reason === undefined) {
        onLine?.({ kind: 'detail', text: `${app}: not due` })
        continue
      }
      onLine?.({ kind: 'step', text: `${app}: ${reason}` })
      try {
        await issuer.issue(app, (text) => onLine?.({ kind: 'detail', text }))
        log.info(`The certificate of ${app} was renewed`, { app, reason })
      } catch (error) {
        if (platform.signal.aborted) break
        failures.set(app, error)
        noteFailure(app, error)
        onLine?.({ kind: 'error', text: reasonOf(error) })
      }
    }
    return failures
  }

  function noteFailure(app: string, error: unknown): void {
    const failures = store.acme(app).failures + 1
    const next = new Date(Date.now() + retryDelayMs(failures, settings.renewRetrySec)).toISOString()
    store.changeAcme(app, { failures, error: reasonOf(error), nextAttempt: next })
    log.error(`The certificate of ${app} could not be renewed: ${reasonOf(error)}`, {
      app,
      error,
      nextAttempt: next,
    })
  }

  return {
    list: () => Promise.all(store.acmeList().map(reportOf)),
    async enable(app, onLine) {
      await checkApp(platform, app)
      return inTurn(async () => {
        onLine?.({ kind: 'step', text: `A certificate for ${app}` })
        await issuer.issue(app, (text) => onLine?.({ kind: 'detail', text }))
        store.changeAcme(app, { enabled: true })
        const report = await reportOf(store.acme(app))
        onLine?.({ kind: 'section', text: `${app} has a certificate until ${report.notAfter}` })
        return report
      })
    },
    async disable(app) {
      await checkApp(platform, app)
      if (!store.acme(app).enabled) throw conflict(`${app} has no certificate that is renewed`)
      store.changeAcme(app, { enabled: false, failures: 0, error: undefined, nextAttempt: undefined })
    },
    async set(app, key, value) {
      const change = parseAcmeSetting(key, value)
      if (app !== everyApp) {
        await checkApp(platform, app)
        store.changeAcme(app, change)
        return
      }
      const before = store.global()
      store.putGlobal({ ...before, acme: { ...before.acme, ...change } })
    },
    async renew(app, onLine) {
      if (app !== undefined) {
        await checkApp(platform, app)
        if (!store.acme(app).enabled)
          throw conflict(`${app} has no certificate that is renewed`, { hint: `letsencrypt:enable ${app}` })
      }
      return inTurn(async () => {
        const records = enabled().filter((record) => app === undefined || record.app === app)
        const failures = await renewEach(records, onLine)
        if (failures.size > 0)
          throw failed(`Not renewed: ${[...failures.keys()].join(', ')}`, {
            hint: 'They are tried again by themselves; letsencrypt:list says when.',
            cause: [...failures.values()][0],
          })
        return Promise.all(records.map(({ app: name }) => reportOf(store.acme(name))))
      })
    },
    async revoke(app) {
      await checkApp(platform, app)
      await inTurn(async () => {
        const held = await heldBy(app)
        const { issuedBy } = store.acme(app)
        if (held === undefined || issuedBy === undefined) throw notFound(`${app} has no certificate by ACME`)
        await issuer.revoke(app, issuedBy, held.certificate)
        store.changeAcme(app, { enabled: false, issuedBy: undefined, failures: 0, error: undefined })
        await certificates.drop(app)
      })
    },
    async renewDue() {
      await inTurn(async () => {
        const time = new Date()
        const records = enabled().filter((record) => !waits(record, time))
        const there = await Promise.all(records.map(({ app }) => appIsThere(platform, app)))
        await renewEach(records.filter((_, at) => there[at]))
      }).catch((error) => {
        if (!platform.signal.aborted) log.error('Certificates could not be looked after', { error })
      })
    },
    nextAttempt() {
      const times = enabled().flatMap(({ nextAttempt }) => (nextAttempt ? [Date.parse(nextAttempt)] : []))
      return times.length > 0 ? Math.min(...times) : undefined
    },
  }
}
