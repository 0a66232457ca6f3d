/** What the rooms of this plugin share: the services around it, its records and its folders. @module */
import type { EngineEvent, Events, OnLine, Repositories, Router, Scheduler } from '@kernel/contracts'
import { type CallHook, describeError, type Logger } from '@kernel/kernel'
import type { Settings } from './settings.ts'
import type { Store } from './store/store.ts'

export interface Platform {
  readonly scheduler: Scheduler
  readonly router: Router
  readonly events: Events
  /** Asked anew each time: Git may be absent. */
  repositories(): Repositories | undefined
  readonly call: CallHook
  readonly log: Logger
  readonly store: Store
  readonly settings: Settings
  /** `<dataDir>/tmp`: build trees, emptied at start. */
  readonly tmpDir: string
  /** `<dataDir>/apps`: outputs of deploys, logs of retired processes. */
  readonly appsDir: string
  /** Aborted when the plugin begins to stop. */
  readonly signal: AbortSignal
}

/**
 * Calls a hook that hears of what is done already: a handler that fails takes nothing back, and is told of.
 * @param onLine whoever reads along
 */
export async function callAfterwards(
  { log }: Platform,
  call: () => Promise<unknown>,
  what: string,
  onLine?: OnLine,
): Promise<void> {
  try {
    await call()
  } catch (error) {
    log.warn(`${what}, but a handler of that failed`, { error })
    onLine?.({ kind: 'error', text: `${what}, but a plugin failed on it: ${describeError(error)}` })
  }
}

/** Tells the world; attributes never hold values of config. */
export function announce(
  { events }: Platform,
  type: 'app' | 'deploy',
  action: string,
  id: string,
  attributes: Record<string, string> = {},
): void {
  const event: Pick<EngineEvent, 'Type' | 'Action' | 'Actor'> = {
    Type: type,
    Action: action,
    Actor: { ID: id, Attributes: attributes },
  }
  events.publish(event)
}
