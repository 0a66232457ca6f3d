import fs from 'node:fs'
import path from 'node:path'
import {
  type ContainerConfig,
  type HostConfig,
  invalid,
  type Mount,
  type MountPoint,
} from '@kernel/contracts'
import { realpathInRoot } from '@kernel/sys'
import { type BindSpec, checkDestination, parseBind } from './bind-spec.ts'
import type { VolumeStore } from './store.ts'

/**
 * Turns what a container asks for into mount points: Binds, Mounts, Tmpfs, and a volume for each folder that
 * the image declares and no one else covers. Makes the volumes and host folders that are missing.
 *
 * In the answer, `Mode` of a tmpfs holds its mount options (`size=64m,mode=1777`), and `nocopy` stands in the
 * `Mode` of a volume that is not to be filled from the image.
 * @throws invalid with Docker's own words
 */
export async function resolveMounts(
  store: VolumeStore,
  container: string,
  config: ContainerConfig,
  hostConfig: HostConfig,
  inherited: MountPoint[] = [],
): Promise<MountPoint[]> {
  const asked: Array<{ destination: string; make: () => Promise<MountPoint> }> = []
  const add = (destination: string, make: () => Promise<MountPoint>) => {
    if (asked.some((one) => one.destination === destination)) {
      throw invalid(`Duplicate mount point: ${destination}`)
    }
    asked.push({ destination, make })
  }

  for (const text of hostConfig.Binds ?? []) {
    const bind = parseBind(text)
    add(bind.destination, () => fromBind(store, container, bind))
  }
  for (const mount of hostConfig.Mounts ?? []) {
    const wrong = (why?: string) =>
      invalid(`invalid mount config for type "${mount.Type}": ${why ?? 'not valid'}`)
    const destination = checkDestination(mount.Target ?? '', wrong)
    checkMount(mount, wrong)
    add(destination, () => fromMount(store, container, mount, destination))
  }
  for (const [target, options] of Object.entries(hostConfig.Tmpfs ?? {})) {
    const destination = checkDestination(target, (why) => invalid(`invalid tmpfs: ${why}`))
    add(destination, async () => tmpfs(destination, options, !options.split(',').includes('ro')))
  }
  for (const point of inherited)
    if (!asked.some((one) => one.destination === point.Destination)) add(point.Destination, async () => point)
  // What the image declares gives way to what was asked for.
  for (const target of Object.keys(config.Volumes ?? {})) {
    const destination = checkDestination(target, (why) => invalid(`invalid volume of the image: ${why}`))
    if (asked.some((one) => one.destination === destination)) continue
    add(destination, () => fromBind(store, container, { ...parseBind(destination) }))
  }

  const points: MountPoint[] = []
  for (const { make } of asked) points.push(await make())
  // Outer folders first, or they would hide what is mounted inside them.
  return points.sort(
    (a, b) => depth(a.Destination) - depth(b.Destination) || (a.Destination < b.Destination ? -1 : 1),
  )
}

const depth = (folder: string) => folder.split('/').length

async function fromBind(store: VolumeStore, container: string, bind: BindSpec): Promise<MountPoint> {
  const { source, destination, readonly, mode, propagation } = bind
  if (source !== undefined && path.isAbsolute(source)) {
    if (!fs.existsSync(source)) fs.mkdirSync(source, { recursive: true, mode: 0o755 })
    return hostFolder(source, destination, mode, !readonly, propagation)
  }
  const record = await store.create(source === undefined ? { container } : { name: source })
  return volume(record.name, await store.ready(record), destination, mode, !readonly)
}

async function fromMount(
  store: VolumeStore,
  container: string,
  mount: Mount,
  destination: string,
): Promise<MountPoint> {
  const writable = !mount.ReadOnly
  if (mount.Type === 'tmpfs') {
    const { SizeBytes, Mode } = mount.TmpfsOptions ?? {}
    const words = [SizeBytes ? `size=${SizeBytes}` : '', Mode ? `mode=${Mode.toString(8)}` : '']
    return tmpfs(destination, [...words.filter(Boolean), ...(writable ? [] : ['ro'])].join(','), writable)
  }
  if (mount.Type === 'bind') {
    const source = path.normalize(mount.Source ?? '')
    if (mount.BindOptions?.CreateMountpoint) fs.mkdirSync(source, { recursive: true, mode: 0o755 })
    const mode = mount.BindOptions?.NonRecursive ? 'bind-nonrecursive' : ''
    return hostFolder(source, destination, mode, writable, mount.BindOptions?.Propagation || 'rprivate')
  }
  const { NoCopy, Labels, Subpath, DriverConfig } = mount.VolumeOptions ?? {}
  const record = await store.create({
    ...(mount.Source ? { name: mount.Source } : { container }),
    ...(Labels && { labels: Labels }),
    ...(DriverConfig?.Options && { options: DriverConfig.Options }),
  })
  const root = await store.ready(record)
  const source = Subpath ? subfolder(root, Subpath, record.name) : root
  return volume(record.name, source, destination, NoCopy || Subpath ? 'z,nocopy' : 'z', writable)
}

/** Links in the volume are followed inside the volume only. */
function subfolder(root: string, subpath: string, name: string): string {
  const local = path.normalize(subpath)
  if (path.isAbsolute(subpath) || local === '..' || local.startsWith('../')) {
    throw invalid(`invalid mount config for type "volume": subpath must be a relative path within the volume`)
  }
  try {
    return path.join(root, realpathInRoot(root, local))
  } catch (cause) {
    throw invalid(`cannot access path ${path.join(root, local)}: no such file or directory`, {
      hint: `Make the folder ${subpath} in volume ${name} first`,
      cause,
    })
  }
}

function checkMount(mount: Mount, wrong: (why?: string) => Error): void {
  const { Type, Source } = mount
  if (!['bind', 'volume', 'tmpfs'].includes(Type)) throw invalid(`mount type unknown: "${Type}"`)
  if (Type !== 'bind' && mount.BindOptions) throw wrong('field BindOptions must not be specified')
  if (Type !== 'volume' && mount.VolumeOptions) throw wrong('field VolumeOptions must not be specified')
  if (Type !== 'tmpfs' && mount.TmpfsOptions) throw wrong('field TmpfsOptions must not be specified')
  const driver = mount.VolumeOptions?.DriverConfig?.Name
  if (driver && driver !== 'local')
    throw invalid(`error looking up volume plugin ${driver}: plugin ${JSON.stringify(driver)} not found`)
  if (Type === 'tmpfs' && Source) throw wrong('field Source must not be specified')
  if (Type !== 'bind') return
  if (!Source) throw wrong('field Source must not be empty')
  if (!path.isAbsolute(Source)) throw wrong(`invalid mount path: '${Source}' mount path must be absolute`)
  if (!mount.BindOptions?.CreateMountpoint && !fs.existsSync(Source)) {
    throw wrong(`bind source path does not exist: ${Source}`)
  }
}

function hostFolder(
  Source: string,
  Destination: string,
  Mode: string,
  RW: boolean,
  Propagation: string,
): MountPoint {
  return { Type: 'bind', Source, Destination, Mode, RW, Propagation }
}

function tmpfs(Destination: string, Mode: string, RW: boolean): MountPoint {
  return { Type: 'tmpfs', Source: '', Destination, Mode, RW, Propagation: '' }
}

function volume(Name: string, Source: string, Destination: string, Mode: string, RW: boolean): MountPoint {
  return { Type: 'volume', Name, Source, Destination, Driver: 'local', Mode, RW, Propagation: '' }
}
