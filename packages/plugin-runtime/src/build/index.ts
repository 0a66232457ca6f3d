/** Builds images from Dockerfiles. @module */
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import {
  type Containers,
  type Digest,
  type Events,
  failed,
  type ImageConfig,
  invalid,
  notFound,
  type OnProgress,
} from '@kernel/contracts'
import type { Logger } from '@kernel/kernel'
import { openDatabase } from '@kernel/state'
import { realpathInRoot } from '@kernel/sys'
import type { ImageRecord, ImageStore, ScopedImageBuilder, Snapshots } from '../parts.ts'
import { parseReference } from '../store/reference.ts'
import { cacheKeeper, cacheMigrations, createBuildCache } from './cache.ts'
import { commitContainer } from './commit.ts'
import { openContext, unpackTar } from './context.ts'
import { expandWord } from './expand.ts'
import { importTar } from './import.ts'
import { type ParsedDockerfile, parseDockerfile, parseInstruction, type Stage } from './parse.ts'
import type { SourceRoot } from './sources.ts'
import { carryOut, type StageParts } from './stage-builder.ts'
import { hashOf, StageState } from './stage-state.ts'
import { newBuildKey, removeUnfinished } from './unfinished.ts'

export interface BuilderOptions {
  dataDir: string
  images: ImageStore
  snapshots: Snapshots
  containers: Containers
  events: Events
  log: Logger
}

type ScopedRequest = Parameters<ScopedImageBuilder['build']>[0]

const architecture =
  ({ x64: 'amd64', arm64: 'arm64' } as Record<string, string>)[process.arch] ?? process.arch

export interface OpenBuilder extends ScopedImageBuilder {
  close(): void
}

export async function createBuilder(options: BuilderOptions): Promise<OpenBuilder> {
  const { dataDir, images } = options
  const tmp = join(dataDir, 'tmp')
  await mkdir(tmp, { recursive: true, mode: 0o700 })
  const db = openDatabase(join(dataDir, 'db', 'build-cache.db'), {
    migrations: cacheMigrations,
    sync: 'normal',
  })
  const cache = createBuildCache(db, images)
  await removeUnfinished(options)
  await cache.recover()

  async function build(request: ScopedRequest, onProgress: OnProgress): Promise<{ id: Digest }> {
    // A name that no image can have is told before a minute has gone into building it.
    for (const tag of request.tags ?? []) parseReference(tag)
    const work = await mkdtemp(join(tmp, 'docker-build-'))
    const session = cache.session({
      scoped: request.cacheScope !== undefined,
      skip: request.noCache ?? false,
    })
    const mounted: string[] = []
    try {
      const dir = 'dir' in request.context ? request.context.dir : join(work, 'context')
      if ('tar' in request.context) {
        await mkdir(dir)
        await unpackTar(request.context.tar, dir)
      }
      const path = request.dockerfile && 'path' in request.dockerfile ? request.dockerfile.path : 'Dockerfile'
      const text =
        request.dockerfile && 'text' in request.dockerfile
          ? request.dockerfile.text
          : await readDockerfile(dir, path)
      const context: SourceRoot = await openContext(dir, path)
      const built = await buildStages(parseDockerfile(text), {
        ...options,
        tmp: work,
        context,
        session,
        request,
        onProgress,
        mounted,
      })
      session.commit(built.id)
      onProgress({ aux: { ID: built.id } })
      onProgress({ stream: `Successfully built ${built.id.slice(7, 19)}\n` })
      for (const tag of request.tags ?? []) onProgress({ stream: `Successfully tagged ${withTag(tag)}\n` })
      return { id: built.id }
    } catch (error) {
      await session.rollback()
      throw request.signal?.aborted ? failed('The build was cancelled.', { cause: error }) : error
    } finally {
      for (const key of mounted) await options.snapshots.remove(key)
      await rm(work, { recursive: true, force: true })
    }
  }

  return {
    build,
    importTar: (source, request) => importTar(images, { architecture, os: 'linux' }, source, request),
    commit: (container, request) => commitContainer(options, container, request),
    releaseScope: (id) => cache.release(id),
    pruneCache: async () => ({ spaceReclaimed: await cache.prune() }),
    close: () => db.close(),
  }
}

interface BuildParts extends BuilderOptions {
  tmp: string
  context: SourceRoot
  session: ReturnType<ReturnType<typeof createBuildCache>['session']>
  request: ScopedRequest
  onProgress: OnProgress
  /** Snapshots to be removed at the end. */
  mounted: string[]
}

async function buildStages(file: ParsedDockerfile, parts: BuildParts): Promise<ImageRecord> {
  const { request, onProgress, images } = parts
  const platformArgs = {
    TARGETPLATFORM: `linux/${architecture}`,
    TARGETOS: 'linux',
    TARGETARCH: architecture,
    BUILDPLATFORM: `linux/${architecture}`,
    BUILDOS: 'linux',
    BUILDARCH: architecture,
  }
  const globalArgs = new Map<string, string>(Object.entries(platformArgs))
  for (const { args } of file.globalArgs) {
    const at = args.indexOf('=')
    const name = at < 0 ? args : args.slice(0, at)
    const fallback =
      at < 0 ? undefined : expandWord(args.slice(at + 1), (key) => globalArgs.get(key), file.escapeChar)
    const value = request.buildArgs?.[name] ?? fallback
    if (value !== undefined) globalArgs.set(name, value)
  }
  const target = targetStage(file.stages, request.target)
  const needed = neededStages(file, target)
  const total = needed.reduce((sum, stage) => sum + 1 + stage.steps.length, 0)
  const done = new Map<number, StageState>()
  let count = 0

  const findStage = (reference: string) =>
    file.stages.find(({ name, index }) => name === reference.toLowerCase() || String(index) === reference)

  const rootOf: StageParts['rootOf'] = async (reference) => {
    const stage = findStage(reference)
    const state = stage && done.get(stage.index)
    if (stage && !state) throw invalid(`COPY --from=${reference}: a stage can only copy from one before it`)
    const diffIds = state?.diffIds ?? (await images.ensure(reference, onProgress)).config.rootfs.diff_ids
    const key = newBuildKey()
    await parts.snapshots.prepare(key, diffIds)
    parts.mounted.push(key)
    return {
      dir: await parts.snapshots.mount(key),
      ignores: () => false,
      exceptions: false,
      key: state?.key ?? hashOf(diffIds),
    }
  }

  for (const stage of needed) {
    onProgress({ stream: `Step ${++count}/${total} : ${stage.from.text}\n` })
    const state = await openStage(stage, file, parts, globalArgs, findStage, done)
    if (state.base?.image) onProgress({ stream: ` ---> ${state.base.image.slice(7, 19)}\n` })
    const stageParts: StageParts = {
      ...parts,
      cache: parts.session,
      escapeChar: file.escapeChar,
      globalArgs,
      rootOf,
    }
    const triggers = (state.base?.config.config?.OnBuild ?? []).map(parseInstruction)
    for (const step of triggers) await carryOut(stageParts, state, step)
    for (const step of stage.steps) {
      if (request.signal?.aborted) throw failed('The build was cancelled.')
      onProgress({ stream: `Step ${++count}/${total} : ${step.text}\n` })
      await carryOut(stageParts, state, step)
      onProgress({ stream: ` ---> ${state.key.slice(0, 12)}\n` })
    }
    done.set(stage.index, state)
  }
  return finish(done.get(target.index)!, parts)
}

async function openStage(
  stage: Stage,
  file: ParsedDockerfile,
  { request, images, onProgress }: BuildParts,
  globalArgs: Map<string, string>,
  findStage: (reference: string) => Stage | undefined,
  done: Map<number, StageState>,
): Promise<StageState> {
  const base = expandWord(stage.base, (name) => globalArgs.get(name), file.escapeChar)
  if (base === '')
    throw invalid(
      `dockerfile parse error on line ${stage.from.line}: base name (${stage.base}) should not be blank`,
    )
  const given = request.buildArgs ?? {}
  const platform = { architecture, os: 'linux' }
  if (base.toLowerCase() === 'scratch') return new StageState(undefined, given, platform)
  const parent = findStage(base)
  const before = parent && done.get(parent.index)
  if (before) {
    const config = before.imageConfig('1970-01-01T00:00:00Z')
    return new StageState({ key: before.key, config, image: before.base?.image }, given, platform)
  }
  const image = request.pull ? await pulled(base, images, onProgress) : await images.ensure(base, onProgress)
  return new StageState({ key: image.id, config: image.config, image: image.id }, given, platform)
}

async function pulled(base: string, images: ImageStore, onProgress: OnProgress): Promise<ImageRecord> {
  await images.pull(base, {}, onProgress)
  return images.resolve(base)
}

/** The same inputs give the same image, also after a year: the cache remembers the one made first. */
async function finish(state: StageState, { images, session, request }: BuildParts): Promise<ImageRecord> {
  const labels = request.labels ?? {}
  if (Object.keys(labels).length > 0) state.config.Labels = { ...state.config.Labels, ...labels }
  const key = hashOf('image', state.key, state.diffIds, state.config)
  const known = await session.find(key)
  const config: ImageConfig = known?.config ?? state.imageConfig(new Date().toISOString())
  const options = { tags: request.tags ?? [], parent: state.base?.image }
  if (!known) {
    const { id } = await images.createImage(config, { parent: options.parent, keep: cacheKeeper })
    session.add(key, id)
  }
  return images.createImage(config, {
    ...options,
    ...(request.cacheScope ? { keep: request.cacheScope.keeper } : {}),
  })
}

function targetStage(stages: Stage[], target: string | undefined): Stage {
  if (!target) return stages.at(-1)!
  const found = stages.find(({ name, index }) => name === target.toLowerCase() || String(index) === target)
  if (!found) throw invalid(`target stage "${target}" could not be found`)
  return found
}

/** As dockerd names it: with the tag that was left out. */
const withTag = (name: string) =>
  name.slice(name.lastIndexOf('/') + 1).includes(':') ? name : `${name}:latest`

/** The target and the stages it stands on or copies from, in order. */
function neededStages({ stages }: ParsedDockerfile, target: Stage): Stage[] {
  const needed = new Set<Stage>()
  const visit = (stage: Stage) => {
    if (needed.has(stage)) return
    needed.add(stage)
    const references = stage.steps.flatMap(({ flags }) =>
      flags.filter(({ name }) => name === 'from').map(({ value }) => value),
    )
    for (const reference of [stage.base, ...references]) {
      const other = stages.find(
        ({ name, index }) =>
          index < stage.index &&
          (name === reference?.toLowerCase() || (reference !== stage.base && String(index) === reference)),
      )
      if (other) visit(other)
    }
  }
  visit(target)
  return stages.filter((stage) => needed.has(stage))
}

async function readDockerfile(dir: string, path: string): Promise<string> {
  try {
    return await readFile(join(dir, realpathInRoot(dir, path)), 'utf8')
  } catch (error) {
    throw notFound(`Cannot locate specified Dockerfile: ${path}`, { cause: error })
  }
}
