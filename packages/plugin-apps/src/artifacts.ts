/** Which artifacts are kept, and the end of those that are not. @module */
import type { LedgerEntry } from '@kernel/contracts'
import { ignoreMissing } from './failure.ts'
import type { Platform } from './platform.ts'
import type { ReleaseRecord } from './store/records.ts'

/** How many releases are listed beyond those that can be rolled back to. */
const keptRecords = 50

/** Whether a release has the artifact, or another deploy that runs is about to. */
function isUsed({ store }: Platform, ref: string, exceptDeploy?: string): boolean {
  return (
    store.allReleases().some(({ artifact, pruned }) => artifact === ref && !pruned) ||
    store.listDeploys().some(({ id, artifact }) => artifact === ref && id !== exceptDeploy)
  )
}

/** Removes an artifact, unless something else has it: two apps of the same source share one. */
export async function removeUnusedArtifact(
  platform: Platform,
  ref: string,
  exceptDeploy?: string,
): Promise<void> {
  if (isUsed(platform, ref, exceptDeploy)) return
  await platform.scheduler.removeArtifact(ref).catch(ignoreMissing)
}

/**
 * Keeps the current release, those in the freezer, and the newest `keepReleases` beside them; the artifacts of older ones go, with the
 * values of their config. What can't be removed now is tried again after the next deploy.
 */
export async function pruneReleases(platform: Platform, name: string): Promise<void> {
  const { store, settings, log } = platform
  const { current, frozen = [] } = store.findApp(name) ?? {}
  const runs = (id: string) => id === current || frozen.some(({ release }) => release === id)
  const others = store.listReleases(name).filter(({ id }) => !runs(id))
  const old = others.filter(({ pruned }) => !pruned).slice(settings.keepReleases)
  for (const release of old) {
    // First the record: an artifact without a release is garbage, a release without an artifact is a lie.
    store.putRelease(withoutArtifact(release))
    try {
      await removeUnusedArtifact(platform, release.artifact)
    } catch (error) {
      store.putRelease(release)
      log.warn(`The artifact of ${name} ${release.id} could not be removed`, { app: name, error })
    }
  }
  for (const release of others.slice(keptRecords)) if (release.pruned) store.deleteRelease(release)
}

const withoutArtifact = (release: ReleaseRecord): ReleaseRecord => ({
  ...release,
  pruned: true,
  config: {},
  env: {},
})

/** What the releases pin, for the disk ledger. */
export function addPins({ store }: Platform, entries: LedgerEntry[]): LedgerEntry[] {
  const pins = new Map<string, { names: string[]; bytes: number }>()
  for (const { app, id, artifact, artifactSize, pruned } of store.allReleases()) {
    if (pruned) continue
    const pin = pins.get(artifact) ?? { names: [], bytes: artifactSize }
    pin.names.push(`release ${app} ${id}`)
    pins.set(artifact, pin)
  }
  const pinned = entries.map((entry) => {
    const pin = pins.get(entry.id)
    if (pin === undefined) return entry
    pins.delete(entry.id)
    return { ...entry, pinnedBy: [...entry.pinnedBy, ...pin.names] }
  })
  // An artifact that the runtime does not list is listed by us, so that the sum is right.
  const rest = [...pins].map(([id, { names, bytes }]) => ({ kind: 'artifact', id, bytes, pinnedBy: names }))
  return [...pinned, ...rest]
}
