import fs from 'node:fs'
import { failed, type MountPoint } from '@kernel/contracts'
import { O_PATH, openInRoot, syncFilesystem } from '@kernel/sys'
import { findProgram, runProgram } from '../host/programs.ts'
import type { VolumeRecord, VolumeStore } from './store.ts'

/**
 * Copies what the image has at a volume's destination into the volume, where that is still empty: owners,
 * modes, times, extended attributes, links and devices included. Also brings volumes with mount options, which
 * a reboot took away, back to their place.
 * @param rootfs the container's root, whose links are followed inside it only
 */
export async function populateVolume(store: VolumeStore, mount: MountPoint, rootfs: string): Promise<void> {
  const record = mount.Name ? store.get(mount.Name) : undefined
  if (mount.Type !== 'volume' || !record) return
  const target = await store.ready(record)
  if (record.content === 'filled' || mount.Mode.split(',').includes('nocopy')) return
  if (record.content === 'filling') emptyFolder(target)
  else if (fs.readdirSync(target).length > 0) {
    store.records.put(record.name, { ...record, content: 'filled' })
    return
  }
  const source = openFolder(rootfs, mount.Destination)
  if (source === undefined) return
  try {
    await fill(store, record, source, target)
  } finally {
    fs.closeSync(source)
  }
}

async function fill(store: VolumeStore, record: VolumeRecord, source: number, target: string): Promise<void> {
  const inside = `/proc/self/fd/${source}`
  if (fs.readdirSync(inside).length === 0) {
    // Still empty, but its owner is what an unprivileged program in the container needs.
    const { uid, gid, mode } = fs.statSync(inside)
    fs.chownSync(target, uid, gid)
    fs.chmodSync(target, mode & 0o7777)
    return
  }
  store.records.put(record.name, { ...record, content: 'filling' })
  const from = `/proc/${process.pid}/fd/${source}/.`
  const { code, stderr } = await runProgram(findProgram('cp') ?? 'cp', ['-a', '--', from, target], {
    timeoutMs: 3_600_000,
  })
  if (code !== 0) {
    throw failed(`failed to copy the image's files to volume ${record.name}: ${stderr.trim()}`, {
      hint: 'Look for a full disk: df -h',
    })
  }
  await syncFilesystem(target) // `filled` must not be on the disk before the files are
  store.records.put(record.name, { ...record, content: 'filled' })
}

/** A descriptor of the folder; undefined where the image has no folder there. */
function openFolder(rootfs: string, folder: string): number | undefined {
  try {
    return openInRoot(rootfs, folder, O_PATH | fs.constants.O_DIRECTORY)
  } catch (error) {
    const { code } = error as { code?: string }
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw error
  }
}

function emptyFolder(folder: string): void {
  for (const name of fs.readdirSync(folder)) fs.rmSync(`${folder}/${name}`, { recursive: true, force: true })
}
