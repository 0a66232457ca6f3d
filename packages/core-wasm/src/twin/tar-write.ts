/**
 * The tar header writer in plain JavaScript.
 * @module
 */
import type { TarHeader } from '../tar-header.ts'

const MAX_7 = 0o7777777
const MAX_11 = 0o77777777777

/** The bytes that writeTarHeader gives for a header that can be written. */
export function writeHeader(header: TarHeader): Buffer {
  const type = header.type ?? '0'
  let path = Buffer.from(header.path)
  if (type === '5' && path.at(-1) !== 47) path = Buffer.concat([path, Buffer.from('/')])
  const link = Buffer.from(header.linkpath ?? '')
  const { uid = 0, gid = 0, size = 0, mtime = 0, devmajor = 0, devminor = 0 } = header
  const split = path.length > 100 ? path.lastIndexOf(47, Math.min(155, path.length - 2)) : 0
  const fits = (bytes: Buffer) => bytes.every((byte) => byte < 128)
  const canSplit = split > 0 && path.length - split - 1 <= 100
  const pathFits = fits(path) && (path.length <= 100 || canSplit)
  const linkFits = fits(link) && link.length <= 100
  const time = timeText(mtime)
  const timeFits = /^\d+$/.test(time) && Number(time) <= MAX_11

  const records: Array<[string, Buffer]> = []
  for (const [key, value] of header.xattrs ?? []) records.push([`SCHILY.xattr.${key}`, Buffer.from(value)])
  if (gid > MAX_7) records.push(['gid', Buffer.from(String(gid))])
  if (!linkFits) records.push(['linkpath', link])
  if (!timeFits) records.push(['mtime', Buffer.from(time)])
  if (!pathFits) records.push(['path', path])
  if (size > MAX_11) records.push(['size', Buffer.from(String(size))])
  if (uid > MAX_7) records.push(['uid', Buffer.from(String(uid))])
  records.sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))

  const ascii = (bytes: Buffer, room: number) =>
    Buffer.from(bytes.filter((byte) => byte < 128).subarray(0, room))
  const block = (name: Buffer, flag: string, fields: number[], linkname: Buffer, prefix: Buffer) => {
    const [mode, owner, group, length, seconds, major, minor] = fields as [
      number,
      number,
      number,
      number,
      number,
      number,
      number,
    ]
    const bytes = Buffer.alloc(512)
    const octal = (value: number, digits: number, at: number) =>
      bytes.write(value.toString(8).padStart(digits, '0'), at)
    name.copy(bytes, 0)
    octal(mode & 0o7777, 7, 100)
    octal(owner > MAX_7 ? 0 : owner, 7, 108)
    octal(group > MAX_7 ? 0 : group, 7, 116)
    octal(length > MAX_11 ? 0 : length, 11, 124)
    octal(seconds, 11, 136)
    bytes.write('        ', 148)
    bytes.write(flag, 156)
    linkname.copy(bytes, 157)
    bytes.write('ustar\u000000', 257, 'latin1')
    octal(major, 7, 329)
    octal(minor, 7, 337)
    prefix.copy(bytes, 345)
    octal(
      bytes.reduce((sum, byte) => sum + byte),
      6,
      148,
    )
    bytes[154] = 0
    return bytes
  }

  const parts: Buffer[] = []
  const empty = Buffer.alloc(0)
  if (records.length > 0) {
    const body = Buffer.concat(records.map(([key, value]) => record(key, value)))
    const base = Buffer.from(
      path
        .toString('latin1')
        .replace(/(?<=.)\/+$/s, '')
        .split('/')
        .pop()!,
      'latin1',
    )
    const name = Buffer.concat([Buffer.from('PaxHeaders.0/'), ascii(base, 87)])
    parts.push(block(name, 'x', [0o644, 0, 0, body.length, 0, 0, 0], empty, empty), body)
    parts.push(Buffer.alloc((512 - (body.length % 512)) % 512))
  }
  const name = !pathFits ? ascii(path, 100) : path.length > 100 ? path.subarray(split + 1) : path
  const prefix = pathFits && path.length > 100 ? path.subarray(0, split) : empty
  const mode = header.mode ?? (type === '5' ? 0o755 : 0o644)
  const seconds = timeFits ? Number(time) : 0
  parts.push(block(name, type, [mode, uid, gid, size, seconds, devmajor, devminor], ascii(link, 100), prefix))
  return Buffer.concat(parts)
}

function record(key: string, value: Buffer): Buffer {
  const rest = Buffer.byteLength(key) + value.length + 3
  let length = rest + 1
  while (String(length).length + rest !== length) length = String(length).length + rest
  return Buffer.concat([Buffer.from(`${length} ${key}=`), value, Buffer.from('\n')])
}

function timeText(mtime: number): string {
  const absolute = Math.abs(mtime)
  let whole = Math.floor(absolute)
  let nanos = Math.round((absolute - whole) * 1e9)
  if (nanos === 1e9) {
    whole++
    nanos = 0
  }
  const fraction = nanos === 0 ? '' : `.${String(nanos).padStart(9, '0').replace(/0+$/, '')}`
  return `${mtime < 0 ? '-' : ''}${whole}${fraction}`
}
