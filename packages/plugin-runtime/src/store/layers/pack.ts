/**
 * Packs a folder as a layer's tar. The same folder always gives the same bytes: entries sorted by their path's
 * bytes, numbers and PAX records in one form.
 * Source: OCI image-spec, layer.md; POSIX.1-2017 pax(1).
 * @module
 */
import fs from 'node:fs'
import { isOpaque, isWhiteout, lgetXattr, llistXattr, splitDevice } from '@kernel/sys'

export interface PackOptions {
  owner?: { uid: number; gid: number }
  /** No entry is younger than this, in seconds since 1970. */
  mtime?: number
  /** Where the folder's content shall lie in the layer, e.g. `app`; its parents become entries, too. */
  prefix?: string
  /** The folder is an overlay's upper one: whiteouts and opaque folders are written in the form of OCI. */
  overlay?: boolean
}

interface Header {
  path: Buffer
  type: string
  mode: number
  uid: number
  gid: number
  /** Nanoseconds. */
  mtime: bigint
  size: number
  link: Buffer
  major: number
  minor: number
  xattrs: [string, Buffer][]
}

const BLOCK = 512
const SECOND = 1_000_000_000n
const empty = Buffer.alloc(0)
const zeros = Buffer.alloc(2 * BLOCK)
const slash = Buffer.from('/')

/** Writes the tar of `dir` piece by piece to `write`. Sockets are left out: no tar can hold them. */
export function packLayer(dir: string, options: PackOptions, write: (piece: Buffer) => void): void {
  new Packer(options, write).pack(dir)
}

class Packer {
  private readonly options: PackOptions
  private readonly write: (piece: Buffer) => void
  /** The first name of each file that has several. */
  private readonly linked = new Map<string, Buffer>()
  private readonly buffer = Buffer.allocUnsafe(1 << 20)

  constructor(options: PackOptions, write: (piece: Buffer) => void) {
    this.options = options
    this.write = write
  }

  pack(dir: string): void {
    const prefix = (this.options.prefix ?? '').split('/').filter((part) => part !== '' && part !== '.')
    const at = Buffer.from(dir)
    for (let depth = 1; depth <= prefix.length; depth++)
      this.writeEntry(Buffer.from(prefix.slice(0, depth).join('/')), at, fs.lstatSync(at, { bigint: true }))
    this.packFolder(at, Buffer.from(prefix.join('/')))
    this.write(zeros)
  }

  private packFolder(at: Buffer, path: Buffer): void {
    const names = fs.readdirSync(at, { encoding: 'buffer' }).sort(Buffer.compare)
    if (this.options.overlay && path.length > 0 && isOpaque(at))
      this.writeMark(path, Buffer.from('.wh..wh..opq'))
    for (const name of names) {
      const inner = Buffer.concat([at, slash, name])
      const stat = fs.lstatSync(inner, { bigint: true })
      const whole = path.length === 0 ? name : Buffer.concat([path, slash, name])
      if (this.options.overlay && isWhiteout(stat))
        this.writeMark(path, Buffer.concat([Buffer.from('.wh.'), name]))
      else if (!stat.isSocket()) {
        this.writeEntry(whole, inner, stat)
        if (stat.isDirectory()) this.packFolder(inner, whole)
      }
    }
  }

  private writeEntry(path: Buffer, at: Buffer, stat: fs.BigIntStats): void {
    const header = this.header(path, at, stat)
    this.writeHeader(header)
    if (header.size > 0) this.copy(at, header.size)
  }

  private header(path: Buffer, at: Buffer, stat: fs.BigIntStats): Header {
    const owner = this.options.owner ?? { uid: Number(stat.uid), gid: Number(stat.gid) }
    const newest =
      this.options.mtime === undefined ? undefined : BigInt(Math.floor(this.options.mtime)) * SECOND
    const header: Header = {
      path: stat.isDirectory() ? Buffer.concat([path, slash]) : path,
      type: '0',
      mode: Number(stat.mode) & 0o7777,
      ...owner,
      mtime: newest !== undefined && stat.mtimeNs > newest ? newest : stat.mtimeNs,
      size: 0,
      link: empty,
      major: 0,
      minor: 0,
      xattrs: [],
    }
    if (!stat.isDirectory() && stat.nlink > 1n) {
      const first = this.linked.get(`${stat.dev}:${stat.ino}`)
      if (first) return { ...header, type: '1', link: first }
      this.linked.set(`${stat.dev}:${stat.ino}`, path)
    }
    header.xattrs = xattrsOf(at)
    if (stat.isDirectory()) header.type = '5'
    else if (stat.isSymbolicLink()) {
      header.type = '2'
      header.link = fs.readlinkSync(at, { encoding: 'buffer' })
    } else if (stat.isFIFO()) header.type = '6'
    else if (stat.isCharacterDevice() || stat.isBlockDevice()) {
      header.type = stat.isCharacterDevice() ? '3' : '4'
      Object.assign(header, splitDevice(stat.rdev))
    } else header.size = Number(stat.size)
    return header
  }

  /** A whiteout: an empty file whose name says what is deleted. */
  private writeMark(folder: Buffer, name: Buffer): void {
    const path = folder.length === 0 ? name : Buffer.concat([folder, slash, name])
    const still = { uid: 0, gid: 0, mtime: 0n, size: 0, link: empty, major: 0, minor: 0, xattrs: [] }
    this.writeHeader({ path, type: '0', mode: 0, ...still })
  }

  private writeHeader(header: Header): void {
    const records = paxRecords(header)
    if (records.length > 0) {
      const name = Buffer.from('PaxHeaders.0/entry')
      this.write(
        block({
          ...header,
          path: name,
          type: 'x',
          size: records.length,
          link: empty,
          mtime: 0n,
          major: 0,
          minor: 0,
        }),
      )
      this.write(padded(records))
    }
    this.write(block(header))
  }

  private copy(at: Buffer, size: number): void {
    const fd = fs.openSync(at, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW)
    try {
      for (let left = size; left > 0; ) {
        const got = fs.readSync(fd, this.buffer, 0, Math.min(left, this.buffer.length), null)
        // It shrank under a process that still writes: the header stands, so the rest is zeros.
        const piece =
          got > 0 ? this.buffer.subarray(0, got) : Buffer.alloc(Math.min(left, this.buffer.length))
        this.write(piece)
        left -= piece.length
      }
    } finally {
      fs.closeSync(fd)
    }
    if (size % BLOCK > 0) this.write(zeros.subarray(0, BLOCK - (size % BLOCK)))
  }
}

function xattrsOf(at: Buffer): [string, Buffer][] {
  const names = llistXattr(at).filter(
    (name) => name === 'security.capability' || /^user\.(?!overlay\.)/.test(name),
  )
  return names.sort().map((name) => [name, lgetXattr(at, name) ?? empty])
}

/** What a ustar header has no room for. */
function paxRecords(header: Header): Buffer {
  const records: Buffer[] = []
  const add = (key: string, value: Buffer) => records.push(paxRecord(key, value))
  if (header.path.length > 100) add('path', header.path)
  if (header.link.length > 100) add('linkpath', header.link)
  if (header.size > 0o77777777777) add('size', Buffer.from(String(header.size)))
  if (header.uid > 0o7777777) add('uid', Buffer.from(String(header.uid)))
  if (header.gid > 0o7777777) add('gid', Buffer.from(String(header.gid)))
  if (header.mtime % SECOND !== 0n || header.mtime < 0n || header.mtime / SECOND > 0o77777777777n)
    add('mtime', Buffer.from(seconds(header.mtime)))
  for (const [name, value] of header.xattrs) add(`SCHILY.xattr.${name}`, value)
  return Buffer.concat(records)
}

function paxRecord(key: string, value: Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from('\n')])
  let length = rest.length + 1
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length
  return Buffer.concat([Buffer.from(String(length)), rest])
}

function seconds(nanoseconds: bigint): string {
  const sign = nanoseconds < 0n ? '-' : ''
  const amount = nanoseconds < 0n ? -nanoseconds : nanoseconds
  const fraction = String(amount % SECOND)
    .padStart(9, '0')
    .replace(/0+$/, '')
  return `${sign}${amount / SECOND}${fraction && `.${fraction}`}`
}

function block(header: Header): Buffer {
  const made = Buffer.alloc(BLOCK)
  const octal = (value: number, at: number, length: number) => {
    const digits = value.toString(8)
    // Too long for its field: the PAX record before it counts.
    made.write(
      digits.length >= length ? ''.padStart(length - 1, '0') : digits.padStart(length - 1, '0'),
      at,
      'latin1',
    )
  }
  made.set(header.path.subarray(0, 100), 0)
  octal(header.mode, 100, 8)
  octal(header.uid, 108, 8)
  octal(header.gid, 116, 8)
  octal(header.size, 124, 12)
  octal(header.mtime < 0n ? 0 : Number(header.mtime / SECOND), 136, 12)
  made.fill(0x20, 148, 156)
  made.write(header.type, 156, 'latin1')
  made.set(header.link.subarray(0, 100), 157)
  made.write('ustar\0' + '00', 257, 'latin1')
  octal(header.major, 329, 8)
  octal(header.minor, 337, 8)
  let sum = 0
  for (const byte of made) sum += byte
  made.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return made
}

/** A whole number of blocks, filled up with zeros. */
function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes], Math.ceil(bytes.length / BLOCK) * BLOCK)
}

/** The tar of one small file, for archives that are made by hand. */
export function tarHeader(path: string, size: number, mtime: number, type: '0' | '5' = '0'): Buffer {
  const header = { path: Buffer.from(path), type, mode: type === '5' ? 0o755 : 0o644, uid: 0, gid: 0, size }
  const whole = {
    ...header,
    mtime: BigInt(Math.floor(mtime)) * SECOND,
    link: empty,
    major: 0,
    minor: 0,
    xattrs: [],
  }
  const records = paxRecords(whole)
  if (records.length === 0) return block(whole)
  const name = Buffer.from('PaxHeaders.0/entry')
  return Buffer.concat([
    block({ ...whole, path: name, type: 'x', size: records.length }),
    padded(records),
    block(whole),
  ])
}
