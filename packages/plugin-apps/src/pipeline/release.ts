/** What a release is made of, and the tasks that run before it may serve. @module */
import { postReleaseBuilder, preReleaseBuilder, type ReleaseInfo } from '@kernel/contracts'
import type { DeployRun } from '../deploy-run.ts'
import { configHash, type Environment, mergedConfig } from '../environment.ts'
import type { Platform } from '../platform.ts'
import type { AppJson } from '../source/app-json.ts'
import { processTypes } from '../source/procfile.ts'
import type { AppRecord, ReleaseRecord } from '../store/records.ts'
import { runTask } from './one-off.ts'

/** What comes from the source; a release that follows another one keeps it. */
export type ReleaseContent = Pick<
  ReleaseRecord,
  'artifact' | 'artifactSize' | 'exposedPort' | 'gitRev' | 'builder' | 'procfile' | 'healthchecks'
>

export interface ReleaseOrigin {
  source: ReleaseInfo['source']
  description: string
  user?: string
}

/** The next release of an app. It counts only once it is stored, at the switch. */
export function nextRelease(
  { store }: Pick<Platform, 'store'>,
  app: AppRecord,
  content: ReleaseContent,
  { source, description, user }: ReleaseOrigin,
  config: Environment,
  scale: Record<string, number>,
): ReleaseRecord {
  const number = app.lastRelease + 1
  const env = mergedConfig(store.global().config, config)
  const { artifact, artifactSize, exposedPort, gitRev, builder, procfile, healthchecks } = content
  return {
    app: app.name,
    id: `v${number}`,
    number,
    source,
    description,
    artifact,
    artifactSize,
    ...(exposedPort !== undefined && { exposedPort }),
    ...(gitRev !== undefined && { gitRev }),
    builder,
    config,
    env,
    configHash: configHash(env),
    procfile,
    scale,
    healthchecks,
    created: new Date().toISOString(),
    ...(user !== undefined && { user }),
    pruned: false,
  }
}

/** What the owner set, or an earlier release had; else what app.json says; else web=1 and the others 0. */
export function scaleFor(
  app: AppRecord,
  procfile: Record<string, string>,
  formation: AppJson['formation'] = {},
): Record<string, number> {
  const count = (type: string) => app.scale[type] ?? formation[type]?.quantity ?? (type === 'web' ? 1 : 0)
  return Object.fromEntries(processTypes(procfile).map((type) => [type, count(type)]))
}

/** The tasks of a release, one after the other. @throws failed where one does not end with 0 */
export async function runReleaseTasks(
  platform: Platform,
  app: AppRecord,
  release: ReleaseRecord,
  { scripts }: AppJson,
  { output }: DeployRun,
  signal: AbortSignal,
): Promise<void> {
  const { call } = platform
  const event = { app: app.name, releaseId: release.id, artifact: release.artifact, output }
  const run = async (name: string, line: string | undefined) => {
    if (line !== undefined) await runTask(platform, { app, release, name, line, output, signal })
  }
  await call(preReleaseBuilder, event)
  await run('predeploy task', scripts.dokku.predeploy)
  await run('release task', release.procfile.release)
  if (app.current === undefined) await run('postdeploy task of the first deploy', scripts.postdeploy)
  await call(postReleaseBuilder, event)
}
