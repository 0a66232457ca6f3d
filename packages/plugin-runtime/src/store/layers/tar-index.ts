/**
 * The entries of an uncompressed tar file, with the place of their data: ustar, PAX and GNU long names.
 * Source: pax(1) of POSIX.1-2017, "pax Interchange Format"; tar(5) of GNU tar.
 * @module
 */
import fs from 'node:fs'
import { invalid } from '@kernel/contracts'

export type TarType = 'file' | 'link' | 'symlink' | 'char' | 'block' | 'directory' | 'fifo'

/** Paths are bytes, held as latin1 strings: one character is one byte, whatever the encoding. */
export interface TarEntry {
  path: string
  linkPath: string
  type: TarType
  mode: number
  uid: number
  gid: number
  /** Seconds since 1970, with fraction. */
  mtime: number
  major: number
  minor: number
  /** Where the data begins in the file, and its bytes. */
  offset: number
  size: number
  xattrs: Map<string, Buffer>
}

const BLOCK = 512
const WINDOW = 1 << 20
/** Names and extended attributes of one entry; the kernel's own limit of a value is 64 KiB. */
const LONGEST_HEADER = 1 << 20

const types: Record<string, TarType> = {
  '\0': 'file',
  '0': 'file',
  '1': 'link',
  '2': 'symlink',
  '3': 'char',
  '4': 'block',
  '5': 'directory',
  '6': 'fifo',
  '7': 'file',
}

/** Reads a range of an open file through a window, so that small pieces cost no call each. */
export class WindowedFile {
  readonly fd: number
  /** Length of the range. */
  readonly end: number
  private readonly base: number
  private readonly window = Buffer.allocUnsafeSlow(WINDOW)
  private start = 0
  private length = 0

  /** @param base where the range begins in the file; all positions are counted from there */
  constructor(fd: number, end: number, base = 0) {
    this.fd = fd
    this.end = end
    this.base = base
  }

  /** The bytes at `position`, at most a window's length; the answer is overwritten by the next call. */
  read(position: number, length: number): Buffer {
    if (position < this.start || position + length > this.start + this.length) this.fill(position)
    const at = position - this.start
    return this.window.subarray(at, Math.min(at + length, this.length))
  }

  private fill(position: number): void {
    this.start = position
    this.length = 0
    const wanted = Math.min(WINDOW, this.end - position)
    while (this.length < wanted) {
      const at = this.base + position + this.length
      const got = fs.readSync(this.fd, this.window, this.length, wanted - this.length, at)
      if (got === 0) break
      this.length += got
    }
  }
}

/** What PAX and GNU records said for the entry that follows. */
interface Extended {
  path?: string
  linkPath?: string
  size?: number
  uid?: number
  gid?: number
  mtime?: number
  xattrs: Map<string, Buffer>
}

/**
 * All entries of the tar in `file`.
 * @throws invalid where it is no tar, is cut off, or has entries of a kind that no layer has (sparse files)
 */
export function* tarEntries(file: WindowedFile): Generator<TarEntry> {
  let extended: Extended = { xattrs: new Map() }
  let global: Extended = { xattrs: new Map() }
  for (let position = 0; position + BLOCK <= file.end; ) {
    const block = Buffer.from(file.read(position, BLOCK))
    if (block.length < BLOCK) throw invalid('the tar archive is cut off')
    if (block.every((byte) => byte === 0)) return
    checkSum(block)
    const flag = String.fromCharCode(block[156]!)
    const offset = position + BLOCK
    const size = 'xgLK'.includes(flag) ? number(block, 124, 12) : (extended.size ?? number(block, 124, 12))
    if (!Number.isSafeInteger(size) || size < 0)
      throw invalid('the tar archive has an entry of impossible size')
    const type = types[flag]
    const hasData = type === undefined || type === 'file'
    position = offset + (hasData ? Math.ceil(size / BLOCK) * BLOCK : 0)
    if (hasData && offset + size > file.end) throw invalid('the tar archive is cut off')
    if (flag === 'x') extended = parsePax(header(file, offset, size), extended)
    else if (flag === 'g') global = parsePax(header(file, offset, size), global)
    else if (flag === 'L') extended.path = text(header(file, offset, size), 0, size)
    else if (flag === 'K') extended.linkPath = text(header(file, offset, size), 0, size)
    else {
      if (type === undefined)
        throw invalid(`the tar archive has an entry of type ${JSON.stringify(flag)}, which no layer may have`)
      yield finish(block, type, offset, { ...global, ...extended })
      extended = { xattrs: new Map() }
    }
  }
}

function finish(block: Buffer, type: TarType, offset: number, extended: Extended): TarEntry {
  const path = extended.path ?? ustarPath(block)
  return {
    path,
    linkPath: extended.linkPath ?? text(block, 157, 100),
    // An old way to say directory: a file whose name ends with a slash.
    type: type === 'file' && path.endsWith('/') ? 'directory' : type,
    mode: number(block, 100, 8) & 0o7777,
    uid: extended.uid ?? number(block, 108, 8),
    gid: extended.gid ?? number(block, 116, 8),
    mtime: extended.mtime ?? number(block, 136, 12),
    major: type === 'char' || type === 'block' ? number(block, 329, 8) : 0,
    minor: type === 'char' || type === 'block' ? number(block, 337, 8) : 0,
    offset,
    size: type === 'file' ? (extended.size ?? number(block, 124, 12)) : 0,
    xattrs: extended.xattrs,
  }
}

function ustarPath(block: Buffer): string {
  const name = text(block, 0, 100)
  // Only POSIX ustar (`ustar\0`) has a prefix there; GNU (`ustar  `) keeps times in it.
  const prefix = block.toString('latin1', 257, 263) === 'ustar\0' ? text(block, 345, 155) : ''
  return prefix ? `${prefix}/${name}` : name
}

function header(file: WindowedFile, offset: number, size: number): Buffer {
  if (size > LONGEST_HEADER)
    throw invalid('the tar archive has an entry with an extended header of over 1 MiB')
  const bytes = Buffer.from(file.read(offset, size))
  if (bytes.length < size) throw invalid('the tar archive is cut off')
  return bytes
}

/** `LENGTH KEY=VALUE\n` again and again; an empty value takes the key back. */
function parsePax(bytes: Buffer, before: Extended): Extended {
  const found: Extended = { ...before, xattrs: new Map(before.xattrs) }
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at)
    const length = Number(bytes.toString('latin1', at, Math.max(space, at)))
    const equals = bytes.indexOf(0x3d, space)
    if (!(length > 0) || space < 0 || equals < 0 || equals >= at + length || at + length > bytes.length)
      throw invalid('the tar archive has a damaged extended header')
    const key = bytes.toString('latin1', space + 1, equals)
    setPax(found, key, bytes.subarray(equals + 1, at + length - 1))
    at += length
  }
  return found
}

function setPax(found: Extended, key: string, value: Buffer): void {
  const string = value.toString('latin1')
  if (key === 'path') found.path = string || undefined
  else if (key === 'linkpath') found.linkPath = string || undefined
  else if (key === 'size' || key === 'uid' || key === 'gid' || key === 'mtime') {
    const amount = Number(string)
    if (!Number.isFinite(amount)) throw invalid(`the tar archive has a damaged ${key}`)
    found[key] = amount
  } else if (key.startsWith('SCHILY.xattr.'))
    found.xattrs.set(key.slice('SCHILY.xattr.'.length), Buffer.from(value))
  else if (key.startsWith('GNU.sparse.'))
    throw invalid('the tar archive holds sparse files (GNU.sparse), which no layer may have')
}

/** Octal text, or with the top bit set a big-endian number (GNU, for what octal has no room for). */
function number(block: Buffer, at: number, length: number): number {
  if (block[at]! & 0x80) {
    let value = block[at]! & 0x40 ? -1 : block[at]! & 0x3f
    for (let i = 1; i < length; i++) value = value * 256 + block[at + i]!
    return value
  }
  const digits = text(block, at, length).trim()
  if (digits === '') return 0
  if (!/^[0-7]+$/.test(digits)) throw invalid('the tar archive has a header with a damaged number')
  return Number.parseInt(digits, 8)
}

function text(block: Buffer, at: number, length: number): string {
  const end = block.indexOf(0, at)
  return block.toString('latin1', at, end < 0 || end > at + length ? at + length : end)
}

/** The sum of all bytes with those of the sum itself taken as spaces. */
function checkSum(block: Buffer): void {
  let sum = 8 * 0x20
  for (let i = 0; i < BLOCK; i++) if (i < 148 || i >= 156) sum += block[i]!
  if (sum !== number(block, 148, 8)) throw invalid('this is not a tar archive, or it is damaged')
}
