/** What the parts of this plugin stand on. @module */
import { type Apps, appExists, type Domains, type Events, notFound, type Router } from '@kernel/contracts'
import type { CallHook, Logger } from '@kernel/kernel'
import type { Settings } from './config.ts'
import type { KeyFiles } from './store/key-files.ts'
import type { Store } from './store/store.ts'

export interface Platform {
  readonly router: Router
  readonly apps: Pick<Apps, 'list'>
  readonly domains: Domains
  readonly events: Events
  readonly call: CallHook
  readonly log: Logger
  readonly store: Store
  /** Keys of certificates. */
  readonly keys: KeyFiles
  /** Keys of accounts at ACME servers. */
  readonly accountKeys: KeyFiles
  readonly settings: Settings
  /** Aborted when the plugin begins to stop. */
  readonly signal: AbortSignal
}

/** The name that stands for all apps; no app has it. */
export const everyApp = 'global'

export async function appIsThere({ call }: Pick<Platform, 'call'>, app: string): Promise<boolean> {
  return (await call(appExists, { app }))?.value === true
}

/** @throws not-found */
export async function checkApp(platform: Pick<Platform, 'call'>, app: string): Promise<void> {
  if (!(await appIsThere(platform, app)))
    throw notFound(`There is no app ${app}`, { hint: `Create it: apps:create ${app}` })
}

/** Those without settings as well: from a certificate for all follows what is due for each. */
export async function allApps({ apps }: Pick<Platform, 'apps'>): Promise<string[]> {
  return (await apps.list()).map(({ name }) => name)
}

/** Tells the world of a change. */
export function announce({ events }: Pick<Platform, 'events'>, app: string, action: string): void {
  events.publish({ Type: 'app', Action: action, Actor: { ID: app, Attributes: {} } })
}
