/** Carries out the steps of one stage, from the cache where it can. @module */
import { createReadStream } from 'node:fs'
import { posix } from 'node:path'
import { type Containers, type ImageBuildRequest, invalid, type OnProgress } from '@kernel/contracts'
import { resolveUser } from '../containers/user.ts'
import type { ImageStore, LayerInfo, Snapshots } from '../parts.ts'
import { type CacheSession, cacheKeeper } from './cache.ts'
import { unpackTar } from './context.ts'
import { type CopyOptions, copyInto, insideRoot, makeDir, writeInto } from './copy.ts'
import { download, isUrl } from './download.ts'
import { expandWord, expandWords } from './expand.ts'
import { metadataSteps } from './metadata.ts'
import type { Step } from './parse.ts'
import { runCommand, runStep } from './run-step.ts'
import { digestSources, findSources, type SourceRoot } from './sources.ts'
import { hashOf, type StageState } from './stage-state.ts'
import { isTarFile } from './tar-file-kind.ts'
import { newBuildKey } from './unfinished.ts'

export interface StageParts {
  images: ImageStore
  snapshots: Snapshots
  containers: Containers
  cache: CacheSession
  tmp: string
  request: ImageBuildRequest
  onProgress: OnProgress
  escapeChar: string
  globalArgs: Map<string, string>
  context: SourceRoot
  /** Files of another stage or image, mounted for this build. */
  rootOf(reference: string): Promise<SourceRoot & { key: string }>
}

/** Does one step: changes `state`, and adds a layer where files changed. */
export async function carryOut(parts: StageParts, state: StageState, step: Step): Promise<void> {
  const { escapeChar } = parts
  const created = new Date().toISOString()
  if (step.keyword === 'ARG') {
    for (const word of expandWords(step.args, state.variables, escapeChar)) {
      const at = word.indexOf('=')
      state.declareArg(
        at < 0 ? word : word.slice(0, at),
        at < 0 ? undefined : word.slice(at + 1),
        parts.globalArgs,
      )
    }
    state.record(step.text, undefined, created)
  } else if (step.keyword === 'RUN') await run(parts, state, step)
  else if (step.keyword === 'COPY' || step.keyword === 'ADD') await copy(parts, state, step)
  else if (step.keyword === 'WORKDIR') await workdir(parts, state, step)
  else {
    metadataSteps[step.keyword]!(state, step, escapeChar)
    state.advance(step.keyword, state.config)
    state.record(step.text, undefined, created)
  }
}

/** Finds the layer of a step in the cache, else makes it; `undefined` from `make`: nothing changed. */
async function layerStep(
  { images, cache, onProgress }: StageParts,
  state: StageState,
  step: Step,
  inputs: unknown[],
  make: () => Promise<LayerInfo>,
): Promise<void> {
  state.advance(...inputs)
  const known = await cache.find(state.key)
  const created = new Date().toISOString()
  const below = known?.config.rootfs.diff_ids.slice(0, -1)
  // A build without cache may have made the layers below anew since: then this one does not fit on them.
  if (known && below?.join() === state.diffIds.join()) {
    onProgress({ stream: ' ---> Using cache\n' })
    state.record(step.text, known.config.rootfs.diff_ids.at(-1), known.config.created ?? created)
  } else {
    const layer = await make()
    state.record(step.text, layer.diffId, created)
    const image = await images.createImage(state.imageConfig(created), {
      keep: cacheKeeper,
      parent: state.base?.image,
    })
    cache.add(state.key, image.id)
  }
}

async function run(parts: StageParts, state: StageState, step: Step): Promise<void> {
  const { images, cache, request } = parts
  const argv = runCommand(step, state.shell)
  const { secretEnv = {} } = request
  const network = step.flags.find(({ name }) => name === 'network')?.value
  const secrets = Object.entries(secretEnv).sort(([a], [b]) => (a < b ? -1 : 1))
  await layerStep(
    parts,
    state,
    step,
    ['RUN', argv, state.keyedArgs(), network, hashOf(secrets)],
    async () => {
      const image = await images.createImage(state.imageConfig(new Date().toISOString()), {
        keep: cacheKeeper,
      })
      try {
        return await runStep(
          parts,
          {
            image: image.id,
            argv,
            env: { ...Object.fromEntries(state.args), ...secretEnv },
            networkMode: network ?? request.networkMode,
            memory: request.memory,
            signal: request.signal,
          },
          parts.onProgress,
        )
      } finally {
        // What is cached is the image with the step's layer, not the one before it.
        if (!cache.has(image.id)) await images.unkeep(cacheKeeper, image.id)
      }
    },
  )
}

/** Works on the files of the stage so far; what was changed becomes a layer. */
async function changeFiles(
  { snapshots }: StageParts,
  state: StageState,
  change: (root: string) => Promise<void>,
): Promise<LayerInfo> {
  const key = newBuildKey()
  await snapshots.prepare(key, state.diffIds)
  try {
    await change(await snapshots.mount(key))
    // Unmounted, its upper folder becomes the layer as it is, without a copy.
    await snapshots.unmount(key)
    return await snapshots.commit(key)
  } finally {
    await snapshots.remove(key)
  }
}

async function workdir(parts: StageParts, state: StageState, step: Step): Promise<void> {
  const wanted = expandWord(step.args, state.variables, parts.escapeChar)
  const path = posix.resolve(state.config.WorkingDir || '/', wanted)
  state.config.WorkingDir = path
  if (path === '/') {
    state.advance('WORKDIR', path)
    state.record(step.text, undefined, new Date().toISOString())
    return
  }
  await layerStep(parts, state, step, ['WORKDIR', path, state.config.User ?? ''], () =>
    changeFiles(parts, state, async (root) => {
      const { uid, gid } = resolveUser(root, state.config.User ?? '')
      await makeDir(root, path, { owner: { uid, gid } })
    }),
  )
}

async function copy(parts: StageParts, state: StageState, step: Step): Promise<void> {
  const { escapeChar } = parts
  const flags = new Map(
    step.flags.map(({ name, value }) => [name, value && expandWord(value, state.variables, escapeChar)]),
  )
  for (const name of flags.keys())
    if (!['from', 'chown', 'chmod', 'link'].includes(name))
      throw invalid(`dockerfile parse error on line ${step.line}: unknown flag: ${name}`)
  const chmod = flags.get('chmod')
  if (chmod !== undefined && !/^0?[0-7]{1,4}$/.test(chmod))
    throw invalid(
      `dockerfile parse error on line ${step.line}: invalid chmod parameter: '${chmod}'. it should be octal string and between 0 and 07777`,
    )

  const words =
    step.json?.map((word) => expandWord(word, state.variables, escapeChar)) ??
    expandWords(step.args, state.variables, escapeChar)
  const dest = words.pop() ?? ''
  if (words.length === 0)
    throw invalid(
      `dockerfile parse error on line ${step.line}: ${step.keyword} requires at least two arguments`,
    )
  const target = posix.resolve(state.config.WorkingDir || '/', dest) + (/\/\.?$|^\.$/.test(dest) ? '/' : '')

  const from = flags.get('from')
  const root = from === undefined ? undefined : await parts.rootOf(from)
  const inline = words.flatMap((word) =>
    step.heredocs.filter(({ name }) => word.replace(/^<<-?/, '') === name),
  )
  const texts = inline.map(({ name, content, expand }) => ({
    name,
    content: expand ? expandText(content, state) : content,
  }))
  const urls = step.keyword === 'ADD' ? words.filter(isUrl) : []
  const paths = words.filter((word) => !word.startsWith('<<') && !urls.includes(word))
  const downloads = await Promise.all(urls.map((url) => download(url, parts.request.signal)))
  const sources = await findSources(root ?? parts.context, paths)
  const content = root ? [root.key, paths] : await digestSources(sources)
  const inputs = [
    step.keyword,
    target,
    [...flags],
    texts,
    downloads.map(({ name, content: bytes }) => [name, hashOf(Buffer.from(bytes).toString('base64'))]),
    content,
  ]

  await layerStep(parts, state, step, inputs, () =>
    changeFiles(parts, state, async (rootfs) => {
      const { uid, gid } = resolveUser(rootfs, ownerOf(flags.get('chown')))
      const options: CopyOptions = {
        owner: { uid, gid },
        ...(chmod ? { mode: Number.parseInt(chmod, 8) } : {}),
      }
      const archives = step.keyword === 'ADD' ? await archivesAmong(sources) : []
      for (const archive of archives) {
        await makeDir(rootfs, target, options)
        await unpackTar(createReadStream(archive.entries[0]!.from), insideRoot(rootfs, target), {
          keepOwner: true,
        })
      }
      const plain = sources.filter((source) => !archives.includes(source))
      if (plain.length > 0) await copyInto(rootfs, plain, target, options)
      for (const { name, content: text } of texts)
        await writeInto(rootfs, target.endsWith('/') ? posix.join(target, name) : target, text, options)
      for (const { name, content: bytes, mtime } of downloads)
        await writeInto(rootfs, target.endsWith('/') ? posix.join(target, name) : target, bytes, {
          mode: 0o600,
          mtime,
          ...options,
        })
    }),
  )
}

/** A group that is not named is the user's number. */
function ownerOf(chown: string | undefined): string {
  if (!chown) return '0:0'
  return chown.includes(':') || !/^\d+$/.test(chown) ? chown : `${chown}:${chown}`
}

/** Variables in a heredoc: quotes are text there. */
function expandText(text: string, state: StageState): string {
  return text.replace(/\\\$|\$\{[^}]*\}|\$[A-Za-z_][A-Za-z0-9_]*/g, (found) =>
    found === '\\$' ? '$' : expandWord(found, state.variables),
  )
}

async function archivesAmong(sources: Awaited<ReturnType<typeof findSources>>) {
  const found: typeof sources = []
  for (const source of sources) {
    const [entry] = source.entries
    if (!source.isDir && entry?.stat.isFile() && (await isTarFile(entry.from))) found.push(source)
  }
  return found
}
