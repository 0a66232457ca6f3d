/** `docker cp`, `docker export` and `docker diff`. @module */
import fs from 'node:fs'
import type { ContainerChange, Containers } from '@kernel/contracts'
import { denied } from '@kernel/contracts'
import { openInRoot } from '@kernel/sys'
import { type ArchivePlace, absolutePath, baseName, locate, locateFolder } from './archive-path.ts'
import type { Engine } from './engine.ts'
import { engineFiles } from './engine-files.ts'
import type { ContainerRecord } from './record.ts'
import { withRootfs, withRootView } from './root-view.ts'
import { streamTar, type TarStream } from './tar-stream.ts'
import { resolveUser } from './user.ts'

type ArchiveCalls = Pick<Containers, 'archiveStat' | 'archiveRead' | 'archiveWrite' | 'changes' | 'exportTar'>

export function createArchiveCalls(engine: Engine): ArchiveCalls {
  const { registry } = engine
  return {
    archiveStat: async (ref, path) =>
      withRootView(engine, registry.resolve(ref), async (root) => locate(root, path, ref).stat),

    archiveRead: async (ref, path, signal) => {
      const record = registry.resolve(ref)
      const { stat, tar } = await beginning<ArchivePlace & TarStream>(engine, (begun) =>
        withRootView(engine, record, async (root) => {
          const place = locate(root, path, ref)
          const stream = tarOf(root, place, path, signal)
          begun({ ...place, ...stream })
          await stream.ended
        }),
      )
      engine.publish(record, 'archive-path')
      return { stat, tar }
    },

    archiveWrite: async (ref, path, tar, options = {}) => {
      const record = registry.resolve(ref)
      await engine.archives.unpack(tar, (extract) =>
        withRootView(engine, record, async (root) => {
          const folder = locateFolder(root, path, ref)
          refuseReadonly(record, folder)
          const user = options.asUser ? record.config.User : undefined
          const { uid, gid } = user ? resolveUser(`/proc/self/fd/${root}`, user) : { uid: 0, gid: 0 }
          await extract(root, folder, {
            ...(user && { owner: { uid, gid } }),
            ...(options.keepKinds && { keepKinds: true }),
          })
        }),
      )
      engine.publish(record, 'extract-to-dir')
    },

    changes: async (ref) => changesOf(engine, registry.resolve(ref)),

    exportTar: async (ref, signal) => {
      const record = registry.resolve(ref)
      const { tar } = await beginning<TarStream>(engine, (begun) =>
        withRootfs(engine, record, async (rootfs) => {
          const stream = exportOf(rootfs, signal)
          begun(stream)
          await stream.ended
        }),
      )
      engine.publish(record, 'export')
      return tar
    },
  }
}

/** Answers as soon as `work` calls `begun`; what it holds, it holds until it has ended. */
function beginning<T>(engine: Engine, work: (begun: (value: T) => void) => Promise<void>): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>()
  engine.background(work(resolve).catch(reject))
  return promise
}

function tarOf(root: number, place: ArchivePlace, path: string, signal: AbortSignal): TarStream {
  const folder = openInRoot(root, place.folder, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY)
  try {
    const source = place.entry
      ? { folder, entries: [Buffer.from(place.entry)] }
      : { folder, rename: baseName(absolutePath(path)) }
    return streamTar(source, signal)
  } finally {
    fs.closeSync(folder)
  }
}

/** Names without `./` before them, and no entry for the root itself. */
function exportOf(rootfs: string, signal: AbortSignal): TarStream {
  const folder = fs.openSync(rootfs, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY)
  try {
    const entries = fs.readdirSync(rootfs, { encoding: 'buffer' }).sort(Buffer.compare)
    return streamTar({ folder, entries }, signal)
  } finally {
    fs.closeSync(folder)
  }
}

/** What may not be written in the container may not be written from outside. @throws denied */
function refuseReadonly({ mounts, hostConfig }: ContainerRecord, folder: string): void {
  const holds = (destination: string) => folder === destination || folder.startsWith(`${destination}/`)
  const mount = mounts.findLast(({ Destination }) => holds(Destination))
  if (mount && !mount.RW) throw denied('mounted volume is marked read-only')
  if (!mount && hostConfig.ReadonlyRootfs) throw denied('container rootfs is marked read-only')
}

/** Without the files that the engine itself puts into every container. */
async function changesOf(engine: Engine, record: ContainerRecord): Promise<ContainerChange[]> {
  const found = await engine.snapshots.changes(record.id)
  const own = engineFiles(engine.snapshots.upperDir(record.id)).map((path) => `/${path}`)
  const isOwn = ({ Path }: ContainerChange) => own.includes(Path)
  const rest = found.filter((change) => !isOwn(change))
  // A folder that changed by them only is nobody's change.
  const holds = (folder: string, paths: string[]) => paths.some((path) => path.startsWith(`${folder}/`))
  return rest.filter(
    ({ Path }) =>
      !holds(Path, own) ||
      holds(
        Path,
        rest.map((change) => change.Path),
      ),
  )
}
