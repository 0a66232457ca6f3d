/** From a commit to an artifact: extract, choose a builder, build. @module */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import {
  type Artifact,
  builderBuild,
  builderDetect,
  failed,
  invalid,
  postBuild,
  postExtract,
  preBuild,
} from '@kernel/contracts'
import { removeTree } from '@kernel/state'
import { removeUnusedArtifact } from '../artifacts.ts'
import { nothingToBuild } from '../builders/detect.ts'
import type { DeployRun } from '../deploy-run.ts'
import { defaultsOf, type Environment, exposedTcpPort, mergedConfig } from '../environment.ts'
import type { Platform } from '../platform.ts'
import { type AppJson, parseAppJson } from '../source/app-json.ts'
import { parseProcfile } from '../source/procfile.ts'
import { kindOf, readSourceFile, resolveInside } from '../source/source-files.ts'
import type { AppRecord } from '../store/records.ts'
import type { Undo } from './undo.ts'

export interface Source {
  rev: string
  /** Writes the tree into an empty folder. */
  checkout(dir: string): Promise<void>
  noCache?: boolean
}

export interface Built {
  artifact: Artifact
  builder: string
  /** Of the Procfile, or what the builder said instead. */
  procfile: Record<string, string>
  appJson: AppJson
  exposedPort?: number
  /** What app.json added to the config; it counts once the deploy has succeeded. */
  defaults: Environment
}

/** Prefix of the folders in `tmp` that hold source trees. */
export const buildDirPrefix = 'build-'

/**
 * @throws invalid for a source that can't be built, failed where building failed; the tree is gone in any case,
 *   the artifact where `undo` is taken back
 */
export async function buildSource(
  platform: Platform,
  app: AppRecord,
  source: Source,
  run: DeployRun,
  undo: Undo,
  signal: AbortSignal,
): Promise<Built> {
  const root = join(platform.tmpDir, `${buildDirPrefix}${run.id.toLowerCase()}`)
  try {
    const tree = await run.stage('extract', () => extract(platform, app, source, root, run))
    signal.throwIfAborted()
    return await run.stage('build', () => build(platform, app, source, tree, run, undo, signal))
  } finally {
    await removeTree(root)
  }
}

interface Tree {
  dir: string
  procfile?: Record<string, string>
  appJson: AppJson
  defaults: Environment
}

async function extract(
  { call, store }: Platform,
  app: AppRecord,
  { rev, checkout }: Source,
  root: string,
  { output }: DeployRun,
): Promise<Tree> {
  await mkdir(root, { mode: 0o700 })
  await checkout(root)
  const { buildDir } = app.builder
  const dir = buildDir === undefined ? root : await resolveInside(root, buildDir)
  if (dir === undefined || (buildDir !== undefined && (await kindOf(root, buildDir)) !== 'folder'))
    throw invalid(`The build dir ${buildDir} is no folder of the source`, {
      hint: `Set another, or none: builder:set ${app.name} build-dir <path>`,
    })
  await call(postExtract, { app: app.name, dir, rev, output })
  const procfile = await readSourceFile(dir, 'Procfile')
  const appJson = parseAppJson(await readSourceFile(dir, 'app.json'))
  const first = app.current === undefined
  return {
    dir,
    ...(procfile !== undefined && { procfile: parseProcfile(procfile) }),
    appJson,
    defaults: first ? defaultsOf(appJson.env, mergedConfig(store.global().config, app.config), app.name) : {},
  }
}

async function build(
  platform: Platform,
  app: AppRecord,
  { noCache }: Source,
  { dir, procfile, appJson, defaults }: Tree,
  run: DeployRun,
  undo: Undo,
  signal: AbortSignal,
): Promise<Built> {
  const { call, scheduler, store } = platform
  const { output } = run
  const builder = app.builder.selected ?? (await call(builderDetect, { app: app.name, dir }))?.value
  if (builder === undefined) throw await nothingToBuild(dir)
  output.step(`Building ${app.name} with the builder ${builder}`)
  await call(preBuild, { app: app.name, dir, output, builder })
  const plan = (await call(builderBuild, { app: app.name, dir, output, builder }))?.value
  if (plan === undefined)
    throw failed(`No plugin has a builder ${builder}`, {
      hint: `Choose another, or let it be detected: builder:set ${app.name} selected`,
    })
  signal.throwIfAborted()
  const artifact = await scheduler.build(
    {
      app: app.name,
      buildId: run.id,
      dir,
      plan,
      secretEnv: mergedConfig(store.global().config, { ...defaults, ...app.config }),
      ...(noCache !== undefined && { noCache }),
      signal,
    },
    ({ kind, text }) => output[kind](text),
  )
  // On the disk before anything else: where a kill comes now, the next start knows what to remove.
  run.change({ artifact: artifact.ref })
  undo.add(`remove the artifact ${artifact.ref}`, () => removeUnusedArtifact(platform, artifact.ref, run.id))
  signal.throwIfAborted()
  await call(postBuild, { app: app.name, dir, output, builder, artifact: artifact.ref })
  const exposedPort = exposedTcpPort(artifact.config.ExposedPorts)
  return {
    artifact,
    builder,
    procfile: procfile ?? plan.processes,
    appJson,
    defaults,
    ...(exposedPort !== undefined && { exposedPort }),
  }
}
