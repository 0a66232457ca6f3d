/** Devices of a container: `--device`, and all of the host's for a privileged one. @module */
import fs from 'node:fs'
import { join } from 'node:path'
import { failed, type HostConfig } from '@kernel/contracts'
import { splitDevice } from '@kernel/sys'
import type { OciDevice, OciDeviceRule } from './oci-types.ts'

/** null, zero, full, random, urandom, tty, console, ptmx, pts; and mknod of anything, which alone opens nothing. */
const DEFAULT_RULES: OciDeviceRule[] = [
  { allow: false, access: 'rwm' },
  { allow: true, type: 'c', access: 'm' },
  { allow: true, type: 'b', access: 'm' },
  ...(
    [
      [1, 3],
      [1, 5],
      [1, 7],
      [1, 8],
      [1, 9],
      [5, 0],
      [5, 1],
      [5, 2],
    ] as const
  ).map(([major, minor]): OciDeviceRule => ({ allow: true, type: 'c', major, minor, access: 'rwm' })),
  { allow: true, type: 'c', major: 136, access: 'rwm' },
]

/** Made by the OCI runtime itself, or by mounts of its own. */
const NOT_COPIED = new Set([
  '/dev/pts',
  '/dev/shm',
  '/dev/fd',
  '/dev/mqueue',
  '/dev/console',
  '/dev/ptmx',
  '/dev/.lxc',
])

/** @throws failed where a device does not exist, in dockerd's words */
export function devicesOf(hostConfig: HostConfig): { devices: OciDevice[]; rules: OciDeviceRule[] } {
  if (hostConfig.Privileged) return { devices: scan('/dev', '/dev'), rules: [{ allow: true, access: 'rwm' }] }
  const devices: OciDevice[] = []
  const rules = [...DEFAULT_RULES]
  for (const { PathOnHost, PathInContainer, CgroupPermissions } of hostConfig.Devices ?? []) {
    const found = gather(PathOnHost, PathInContainer || PathOnHost)
    devices.push(...found)
    for (const { type, major, minor } of found)
      rules.push({
        allow: true,
        type: type === 'b' ? 'b' : 'c',
        major,
        minor,
        access: CgroupPermissions || 'rwm',
      })
  }
  for (const text of (hostConfig.DeviceCgroupRules as string[] | undefined | null) ?? [])
    rules.push(parseRule(text))
  return { devices, rules }
}

function gather(host: string, inside: string): OciDevice[] {
  const what = `error gathering device information while adding custom device "${host}"`
  let real: string
  try {
    real = fs.realpathSync(host)
  } catch {
    throw failed(`${what}: no such file or directory`)
  }
  const stat = fs.lstatSync(real)
  if (stat.isDirectory()) return scan(real, inside)
  const device = describe(real, inside, stat)
  if (!device) throw failed(`${what}: not a device node`)
  return [device]
}

function scan(dir: string, inside: string): OciDevice[] {
  const found: OciDevice[] = []
  for (const entry of fs.readdirSync(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name)
    if (NOT_COPIED.has(path)) continue
    if (entry.isDirectory()) found.push(...scan(path, join(inside, entry.name)))
    else if (entry.isCharacterDevice() || entry.isBlockDevice()) {
      const device = describe(path, join(inside, entry.name), fs.lstatSync(path))
      if (device) found.push(device)
    }
  }
  return found
}

function describe(path: string, inside: string, stat: fs.Stats): OciDevice | undefined {
  if (!stat.isCharacterDevice() && !stat.isBlockDevice()) return undefined
  const { major, minor } = splitDevice(fs.lstatSync(path, { bigint: true }).rdev)
  return {
    path: inside,
    type: stat.isBlockDevice() ? 'b' : 'c',
    major,
    minor,
    fileMode: stat.mode & 0o7777,
    uid: stat.uid,
    gid: stat.gid,
  }
}

/** `c 13:* rwm`, the form of the kernel's devices.allow. */
function parseRule(text: string): OciDeviceRule {
  const match = /^([acb]) ([0-9]+|\*):([0-9]+|\*) ([rwm]{1,3})$/.exec(text)
  if (!match) throw failed(`invalid device cgroup rule: '${text}'`)
  const number = (part: string | undefined) => (part === '*' ? undefined : Number(part))
  return {
    allow: true,
    type: match[1] as 'a' | 'b' | 'c',
    major: number(match[2]),
    minor: number(match[3]),
    access: match[4] ?? 'rwm',
  }
}
