/**
 * The tar scan in plain JavaScript, over a whole archive in memory: to test and measure the other against.
 * @module
 */
import { TarError, type TarErrorCode } from '../errors.ts'

/** One entry, with its texts as latin1 so that every byte can be compared. */
export interface TwinEntry {
  path: string
  linkpath: string
  type: string
  mode: number
  uid: number
  gid: number
  size: number
  mtime: number
  devmajor: number
  devminor: number
  dataOffset: number
  xattrs: Array<[string, string]>
}

interface Overrides {
  path?: string
  linkpath?: string
  size?: number
  uid?: number
  gid?: number
  mtime?: number
  xattrs: Array<[string, string]>
  cleared: Set<string>
}

const LIMIT = 1 << 20
const PAX_LENGTH = /\d+(?= )/y
const MAX_U32 = 2 ** 32 - 1

class Failure extends Error {
  readonly code: TarErrorCode
  constructor(code: TarErrorCode) {
    super(code)
    this.code = code
  }
}

/** The entries of an archive. @throws TarError with the code and offset that the WebAssembly scan gives */
export function scanTar(archive: Buffer): TwinEntry[] {
  const entries: TwinEntry[] = []
  let globals = none()
  let locals = none()
  let gnuPath = ''
  let gnuLink = ''
  let pending = false
  let zero = false
  let at = 0
  try {
    while (at + 512 <= archive.length) {
      const block = archive.subarray(at, at + 512)
      if (block.every((byte) => byte === 0)) {
        if (pending) throw new Failure('truncated')
        at += 512
        if (zero) return entries
        zero = true
        continue
      }
      if (zero || !checksumFits(block)) throw new Failure('checksum')
      const flag = block.toString('latin1', 156, 157)
      if (flag === 'S') throw new Failure('sparse')
      if ('MVDN'.includes(flag)) throw new Failure('unsupported')
      const size = numeric(block, 124, 12)
      if (size < 0 || size > Number.MAX_SAFE_INTEGER) throw new Failure('number')
      if ('xXgLK'.includes(flag)) {
        if (size > LIMIT) throw new Failure('name-too-long')
        if (at + 512 + padded(size) > archive.length) throw new Failure('truncated')
        const body = archive.subarray(at + 512, at + 512 + size)
        if (flag === 'L') gnuPath = text(body, 0, size)
        else if (flag === 'K') gnuLink = text(body, 0, size)
        else if (flag === 'g') globals = readPax(body, globals, true)
        else locals = readPax(body, none(), false)
        pending ||= flag !== 'g'
        at += 512 + padded(size)
        continue
      }
      const entry = toEntry(block, flag, size, locals, globals, gnuPath, gnuLink)
      entry.dataOffset = at + 512
      entries.push(entry)
      locals = none()
      gnuPath = ''
      gnuLink = ''
      pending = false
      at += 512 + padded(entry.size)
    }
    if (at !== archive.length || pending) throw new Failure('truncated')
    return entries
  } catch (error) {
    if (error instanceof Failure) throw new TarError(error.code, error.code, at)
    throw error
  }
}

function none(): Overrides {
  return { xattrs: [], cleared: new Set() }
}

function toEntry(
  block: Buffer,
  flag: string,
  headerSize: number,
  locals: Overrides,
  globals: Overrides,
  gnuPath: string,
  gnuLink: string,
): TwinEntry {
  const overriding = <K extends 'path' | 'linkpath' | 'size' | 'uid' | 'gid' | 'mtime'>(
    key: K,
  ): Overrides[K] => locals[key] ?? (locals.cleared.has(key) ? undefined : globals[key])
  const magic = block.toString('latin1', 257, 263)
  const isDevice = magic.startsWith('ustar') && (flag === '3' || flag === '4')
  const mode = numeric(block, 100, 8)
  const uid = overriding('uid') ?? numeric(block, 108, 8)
  const gid = overriding('gid') ?? numeric(block, 116, 8)
  const mtime = overriding('mtime') ?? numeric(block, 136, 12)
  const devmajor = isDevice ? numeric(block, 329, 8) : 0
  const devminor = isDevice ? numeric(block, 337, 8) : 0
  const beyond = [mode, uid, gid, devmajor, devminor].some((value) => value < 0 || value > MAX_U32)
  if (beyond || Math.abs(mtime) > Number.MAX_SAFE_INTEGER + 1) throw new Failure('number')
  const prefix = magic === 'ustar\0' ? text(block, 345, 155) : ''
  const name = text(block, 0, 100)
  const path = gnuPath || (overriding('path') ?? (prefix ? `${prefix}/${name}` : name))
  const type = flag !== '\0' ? flag : path.endsWith('/') ? '5' : '0'
  const isLink = type === '1' || type === '2'
  const linkpath = isLink ? gnuLink || (overriding('linkpath') ?? text(block, 157, 100)) : ''
  const size = '123456'.includes(type) ? 0 : (overriding('size') ?? headerSize)
  const { xattrs } = locals
  return {
    path,
    linkpath,
    type,
    mode: mode & 0o7777,
    uid,
    gid,
    size,
    mtime,
    devmajor,
    devminor,
    dataOffset: 0,
    xattrs,
  }
}

function readPax(body: Buffer, into: Overrides, isGlobal: boolean): Overrides {
  const records = body.toString('latin1')
  let at = 0
  let xattrs = false
  while (at < records.length) {
    PAX_LENGTH.lastIndex = at
    const length = PAX_LENGTH.exec(records)?.[0]
    const end = at + Number(length)
    if (!length || end > records.length || records[end - 1] !== '\n') throw new Failure('pax')
    const content = records.slice(at + length.length + 1, end - 1)
    const equals = content.indexOf('=')
    if (equals < 1) throw new Failure('pax')
    const key = content.slice(0, equals)
    const value = content.slice(equals + 1)
    at = end
    if (key.startsWith('GNU.sparse.')) throw new Failure('sparse')
    if (key.startsWith('SCHILY.xattr.') && key.length > 13) {
      into.xattrs.push([key.slice(13), value])
      xattrs = true
      continue
    }
    if (!['path', 'linkpath', 'size', 'uid', 'gid', 'mtime'].includes(key)) continue
    delete into[key as 'path']
    into.cleared.add(key)
    if (value === '') continue
    into.cleared.delete(key)
    if (key === 'path' || key === 'linkpath') {
      if (value.includes('\0')) throw new Failure('pax')
      into[key] = value
    } else into[key as 'size'] = key === 'mtime' ? seconds(value) : decimal(value)
  }
  if (isGlobal && xattrs) throw new Failure('unsupported')
  return into
}

function padded(size: number): number {
  return Math.ceil(size / 512) * 512
}

function text(bytes: Buffer, start: number, length: number): string {
  const field = bytes.toString('latin1', start, start + length)
  const nul = field.indexOf('\0')
  return nul < 0 ? field : field.slice(0, nul)
}

function checksumFits(block: Buffer): boolean {
  let want: number
  try {
    want = numeric(block, 148, 8)
  } catch {
    return false
  }
  let unsigned = 8 * 32
  let signed = 8 * 32
  for (const [i, byte] of block.entries()) {
    if (i >= 148 && i < 156) continue
    unsigned += byte
    signed += byte < 128 ? byte : byte - 256
  }
  return want === unsigned || want === signed
}

function numeric(block: Buffer, start: number, length: number): number {
  const field = block.subarray(start, start + length)
  if (field[0]! & 0x80) {
    let value = BigInt(field[0]! & 0x7f)
    for (const byte of field.subarray(1)) value = value * 256n + BigInt(byte)
    if (field[0]! & 0x40) value -= 1n << BigInt(8 * length - 1)
    if (value >= 1n << 63n || value < -(1n << 63n)) throw new Failure('number')
    if (value > Number.MAX_SAFE_INTEGER || value < Number.MIN_SAFE_INTEGER)
      return Number(value) < 0 ? -1e300 : 1e300
    return Number(value)
  }
  const trimmed = field.toString('latin1').replace(/^[ \0]+/, '')
  const [digits] = /^[0-7]*/.exec(trimmed)!
  const rest = trimmed.slice(digits.length)
  if (!/^ *(\0|$)/.test(rest)) throw new Failure('number')
  return digits === '' ? 0 : Number.parseInt(digits, 8)
}

function decimal(value: string): number {
  const n = /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN
  if (!Number.isSafeInteger(n)) throw new Failure('number')
  return n
}

function seconds(value: string): number {
  const [, sign, whole, fraction = ''] = /^(-?)(\d*)(?:\.(\d*))?$/.exec(value) ?? []
  if (whole === undefined) throw new Failure('number')
  const absolute = decimal(whole) + Number(fraction.slice(0, 9).padEnd(9, '0')) / 1e9
  return sign ? -absolute : absolute
}
