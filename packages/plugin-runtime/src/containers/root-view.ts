/** A container's files as it sees them itself, volumes included, whether it runs or not. @module */
import fs from 'node:fs'
import { join } from 'node:path'
import type { MountPoint } from '@kernel/contracts'
import { mkdirAllInRoot, O_PATH, openInRoot, openRoot, realpathInRoot, withParentInRoot } from '@kernel/sys'
import type { Engine } from './engine.ts'
import { type MountNamespace, openMountNamespace } from './mount-namespace.ts'
import { type ContainerRecord, isRunning } from './record.ts'

/**
 * Calls `work` with a descriptor of the container's root, which is good until its promise settles. A container
 * that does not run can't be started meanwhile: its root is mounted for `work`, in a namespace of its own.
 */
export async function withRootView<T>(
  engine: Engine,
  record: ContainerRecord,
  work: (root: number) => Promise<T>,
): Promise<T> {
  const running = openRunningRoot(record)
  if (running !== undefined) return closing(running, work)
  return engine.mutex.run(record.id, async () => {
    engine.registry.resolve(record.id)
    // It may have been started while this waited.
    const started = openRunningRoot(record)
    if (started !== undefined) return closing(started, work)
    return withMountedRoot(engine, record, (rootfs) => withMounts(engine, record, rootfs, work))
  })
}

/** The root file system alone, without what is mounted in it, at a path of this machine. */
export async function withRootfs<T>(
  engine: Engine,
  record: ContainerRecord,
  work: (rootfs: string) => Promise<T>,
): Promise<T> {
  if (isRunning(record)) return work(await engine.snapshots.mount(record.id))
  return engine.mutex.run(record.id, async () => {
    engine.registry.resolve(record.id)
    if (isRunning(record)) return work(await engine.snapshots.mount(record.id))
    return withMountedRoot(engine, record, work)
  })
}

/** For one that is stopped; the caller holds its lock. */
async function withMountedRoot<T>(
  engine: Engine,
  record: ContainerRecord,
  work: (rootfs: string) => Promise<T>,
): Promise<T> {
  await engine.live(record).cleaning
  const rootfs = await engine.snapshots.mount(record.id)
  try {
    return await work(rootfs)
  } finally {
    await engine.snapshots.unmount(record.id)
  }
}

function openRunningRoot(record: ContainerRecord): number | undefined {
  if (!isRunning(record) || !record.process) return undefined
  try {
    return openRoot(`/proc/${record.process.pid}/root`)
  } catch {
    return undefined // it ends just now
  }
}

async function closing<T>(root: number, work: (root: number) => Promise<T>): Promise<T> {
  try {
    return await work(root)
  } finally {
    fs.closeSync(root)
  }
}

async function withMounts<T>(
  engine: Engine,
  record: ContainerRecord,
  rootfs: string,
  work: (root: number) => Promise<T>,
): Promise<T> {
  const points = record.mounts.filter(({ Type }) => Type !== 'tmpfs')
  await engine.volumes.populate(
    points.filter(({ Type }) => Type === 'volume'),
    rootfs,
  )
  const namespace = await openMountNamespace()
  try {
    const root = openRoot(namespace.path(rootfs))
    return await closing(root, async () => {
      for (const { source, destination } of [...networkFiles(engine, record), ...points.map(asBind)])
        await show(namespace, root, rootfs, source, destination)
      return work(root)
    })
  } finally {
    await namespace.close()
  }
}

const asBind = ({ Source, Destination }: MountPoint) => ({ source: Source, destination: Destination })

/** They are there once it was started. */
function networkFiles(engine: Engine, { id }: ContainerRecord) {
  return ['hostname', 'hosts', 'resolv.conf'].map((name) => ({
    source: join(engine.bundle(id), name),
    destination: `/etc/${name}`,
  }))
}

/** What is not there any more can't be shown, and hides nothing. */
async function show(
  namespace: MountNamespace,
  root: number,
  rootfs: string,
  source: string,
  destination: string,
): Promise<void> {
  const stat = fs.statSync(source, { throwIfNoEntry: false })
  if (!stat) return
  if (stat.isDirectory()) mkdirAllInRoot(root, destination)
  else makeFile(root, destination)
  await namespace.bind(fs.realpathSync(source), join(rootfs, realpathInRoot(root, destination)))
}

function makeFile(root: number, path: string): void {
  try {
    fs.closeSync(openInRoot(root, path, O_PATH))
  } catch (error) {
    if ((error as { code?: string }).code !== 'ENOENT') throw error
    const real = realpathInRoot(root, path, { missing: 'allow' })
    mkdirAllInRoot(root, real.slice(0, real.lastIndexOf('/')) || '/')
    withParentInRoot(root, real, (entry) => fs.closeSync(fs.openSync(entry, 'wx', 0o644)))
  }
}
