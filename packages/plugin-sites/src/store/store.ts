/** The plugin's database: `<dataDir>/db/sites.db`, written through to the disk at every change. @module */
import { join } from 'node:path'
import { collection, openDatabase } from '@kernel/state'
import {
  type AccountRecord,
  type AcmeRecord,
  type CertificateRecord,
  type GlobalRecord,
  newAcme,
  newSite,
  type SiteRecord,
} from './records.ts'

const globalKey = 'global'

export type Store = ReturnType<typeof openStore>

/** @param dbDir an existing folder */
export function openStore(dbDir: string) {
  const db = openDatabase(join(dbDir, 'sites.db'))
  const sites = collection<SiteRecord>(db, 'sites')
  const certificates = collection<CertificateRecord>(db, 'certificates')
  const acme = collection<AcmeRecord>(db, 'acme')
  const accounts = collection<AccountRecord>(db, 'accounts')
  const global = collection<GlobalRecord>(db, 'global')

  return {
    close: () => db.close(),

    site: (app: string) => sites.get(app) ?? newSite(app),
    sites: () => sites.list(),
    putSite: (record: SiteRecord) => sites.put(record.app, record),

    findCertificate: (app: string) => certificates.get(app),
    certificates: () => certificates.list(),
    putCertificate: (record: CertificateRecord) => certificates.put(record.app, record),
    deleteCertificate: (app: string) => certificates.delete(app),

    acme: (app: string) => acme.get(app) ?? newAcme(app),
    acmeList: () => acme.list(),
    changeAcme: (app: string, change: Partial<AcmeRecord>) =>
      acme.update(app, (before) => ({ ...(before ?? newAcme(app)), ...change })),

    account: (directory: string) => accounts.get(directory),
    accounts: () => accounts.list(),
    putAccount: (record: AccountRecord) => accounts.put(record.directory, record),

    global: (): GlobalRecord => global.get(globalKey) ?? { pages: {}, acme: {} },
    putGlobal: (record: GlobalRecord) => global.put(globalKey, record),

    /** Apps of which anything is kept. */
    apps: () => [...new Set([...sites.keys(), ...certificates.keys(), ...acme.keys()])],
    /** All that is kept of `from` is kept of `to` as well, and nothing else of that. */
    copyApp(from: string, to: string): void {
      db.transaction(() => {
        removeApp(to)
        const [site, certificate, record] = [sites.get(from), certificates.get(from), acme.get(from)]
        if (site) sites.put(to, { ...site, app: to })
        if (certificate) certificates.put(to, { ...certificate, app: to })
        if (record) acme.put(to, { ...record, app: to })
      })
    },
    removeApp: (app: string) => db.transaction(() => removeApp(app)),
  }

  function removeApp(app: string): boolean {
    const removed = [sites.delete(app), certificates.delete(app), acme.delete(app)]
    return removed.includes(true)
  }
}
