/** What a build leaves behind that a kill has cut off. @module */
import type { Containers } from '@kernel/contracts'
import type { Logger } from '@kernel/kernel'
import { ulid } from 'ulid'
import type { Snapshots } from '../parts.ts'

/** Marks the containers in which steps of builds run. */
export const stepLabel = 'kernel.build-step'

const prefix = 'build-'

/** A name for a snapshot that only a build uses. */
export const newBuildKey = (): string => prefix + ulid().toLowerCase()

/**
 * For the start: removes the containers and snapshots of builds that did not come to their end. Nobody would
 * ever ask for them, and they keep layers. What can't be removed is told of and stays.
 */
export async function removeUnfinished(parts: {
  containers: Containers
  snapshots: Snapshots
  log: Logger
}): Promise<void> {
  const { containers, snapshots, log } = parts
  const steps = await containers.list({ all: true, filters: { label: [stepLabel] } })
  const keys = (await snapshots.keys()).filter((key) => key.startsWith(prefix))
  const left = [
    ...steps.map(({ Id }) => ({ what: Id, removed: containers.remove(Id, { force: true, volumes: true }) })),
    ...keys.map((key) => ({ what: key, removed: snapshots.remove(key) })),
  ]
  for (const { what, removed } of left)
    await removed.catch((error: unknown) =>
      log.warn(`${what} is left over from a build and could not be removed`, { error }),
    )
}
