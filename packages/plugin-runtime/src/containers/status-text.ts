/** The `Status` column of `docker ps`. @module */
import type { ContainerRecord } from './record.ts'
import { NEVER } from './record.ts'

/** `Up 3 seconds (healthy)`, `Exited (0) 2 hours ago`, `Created`, ... @param at milliseconds since 1970 */
export function statusText(record: ContainerRecord, at: number): string {
  const since = (time: string) => humanDuration(at - Date.parse(time))
  switch (record.status) {
    case 'running': {
      const health = record.health && record.health.Status !== 'none' ? healthText(record.health.Status) : ''
      return `Up ${since(record.startedAt)}${health}`
    }
    case 'paused':
      return `Up ${since(record.startedAt)} (Paused)`
    case 'restarting':
      return `Restarting (${record.exitCode}) ${since(record.finishedAt)} ago`
    case 'removing':
      return 'Removal In Progress'
    case 'dead':
      return 'Dead'
    case 'created':
      return 'Created'
    case 'exited':
      return record.finishedAt === NEVER
        ? 'Created'
        : `Exited (${record.exitCode}) ${since(record.finishedAt)} ago`
  }
}

function healthText(status: string): string {
  return status === 'starting' ? ' (health: starting)' : ` (${status})`
}

/** As Docker rounds it (docker/go-units, HumanDuration). @param milliseconds may be below zero after a clock change */
export function humanDuration(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000))
  if (seconds < 1) return 'Less than a second'
  if (seconds === 1) return '1 second'
  if (seconds < 60) return `${seconds} seconds`
  const minutes = Math.floor(seconds / 60)
  if (minutes === 1) return 'About a minute'
  if (minutes < 60) return `${minutes} minutes`
  const hours = Math.floor(seconds / 3600 + 0.5)
  if (hours === 1) return 'About an hour'
  if (hours < 48) return `${hours} hours`
  if (hours < 24 * 7 * 2) return `${Math.floor(hours / 24)} days`
  if (hours < 24 * 30 * 2) return `${Math.floor(hours / 24 / 7)} weeks`
  if (hours < 24 * 365 * 2) return `${Math.floor(hours / 24 / 30)} months`
  return `${Math.floor(hours / 24 / 365)} years`
}
