/**
 * Packs a folder as a layer's tar. The same folder always gives the same bytes: entries in the order of their
 * names' bytes, each in one form.
 * Source: OCI image-spec, layer.md.
 * @module
 */
import fs from 'node:fs'
import {
  OPAQUE_WHITEOUT,
  TAR_END,
  type TarHeader,
  tarPadding,
  WHITEOUT_PREFIX,
  writeTarHeader,
} from '@kernel/core-wasm'
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

const BUFFER = 1 << 20
const slash = Buffer.from('/')
const zeros = Buffer.alloc(BUFFER)

/** Writes the tar of `dir` piece by piece to `write`. Sockets are left out: no tar can hold them. */
export function packLayer(dir: string, options: PackOptions, write: (piece: Uint8Array) => void): void {
  new Packer(options, write).pack(dir)
}

class Packer {
  private readonly options: PackOptions
  private readonly write: (piece: Uint8Array) => void
  /** The first name of each file that has several. */
  private readonly linked = new Map<string, Buffer>()
  private readonly buffer = Buffer.allocUnsafe(BUFFER)

  constructor(options: PackOptions, write: (piece: Uint8Array) => void) {
    this.options = options
    this.write = write
  }

  pack(dir: string): void {
    const prefix = (this.options.prefix ?? '').split('/').filter((part) => part !== '' && part !== '.')
    const at = Buffer.from(dir)
    for (let depth = 1; depth <= prefix.length; depth++)
      this.writeEntry(Buffer.from(prefix.slice(0, depth).join('/')), at, fs.lstatSync(at, { bigint: true }))
    this.packFolder(at, Buffer.from(prefix.join('/')))
    this.write(TAR_END)
  }

  private packFolder(at: Buffer, path: Buffer): void {
    const names = fs.readdirSync(at, { encoding: 'buffer' }).sort(Buffer.compare)
    const { overlay } = this.options
    if (overlay && path.length > 0 && isOpaque(at)) this.writeMark(inside(path, Buffer.from(OPAQUE_WHITEOUT)))
    for (const name of names) {
      const inner = inside(at, name)
      const stat = fs.lstatSync(inner, { bigint: true })
      if (overlay && isWhiteout(stat))
        this.writeMark(inside(path, Buffer.concat([Buffer.from(WHITEOUT_PREFIX), name])))
      else if (!stat.isSocket()) {
        this.writeEntry(inside(path, name), inner, stat)
        if (stat.isDirectory()) this.packFolder(inner, inside(path, name))
      }
    }
  }

  private writeEntry(path: Buffer, at: Buffer, stat: fs.BigIntStats): void {
    const header = this.header(path, at, stat)
    this.write(writeTarHeader(header))
    if (header.size) this.copy(at, header.size)
  }

  private header(path: Buffer, at: Buffer, stat: fs.BigIntStats): TarHeader {
    const mtime = Number(stat.mtimeNs) / 1e9
    const header: TarHeader = {
      path,
      mode: Number(stat.mode) & 0o7777,
      ...(this.options.owner ?? { uid: Number(stat.uid), gid: Number(stat.gid) }),
      mtime: Math.min(mtime, this.options.mtime ?? mtime),
    }
    if (!stat.isDirectory() && stat.nlink > 1n) {
      const id = `${stat.dev}:${stat.ino}`
      const first = this.linked.get(id)
      if (first) return { ...header, type: '1', linkpath: first }
      this.linked.set(id, path)
    }
    const xattrs = xattrsOf(at)
    if (stat.isDirectory()) return { ...header, xattrs, type: '5' }
    if (stat.isSymbolicLink())
      return { ...header, xattrs, type: '2', linkpath: fs.readlinkSync(at, { encoding: 'buffer' }) }
    if (stat.isFIFO()) return { ...header, xattrs, type: '6' }
    if (stat.isFile()) return { ...header, xattrs, type: '0', size: Number(stat.size) }
    const { major, minor } = splitDevice(stat.rdev)
    const type = stat.isCharacterDevice() ? '3' : '4'
    return { ...header, xattrs, type, devmajor: major, devminor: minor }
  }

  /** A whiteout: an empty file whose name says what is deleted. */
  private writeMark(path: Buffer): void {
    this.write(writeTarHeader({ path, mode: 0 }))
  }

  private copy(at: Buffer, size: number): void {
    const fd = fs.openSync(at, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW)
    try {
      for (let left = size; left > 0; ) {
        const got = fs.readSync(fd, this.buffer, 0, Math.min(left, BUFFER), null)
        // It shrank under a process that still writes: its header stands, so the rest is zeros.
        const piece = got > 0 ? this.buffer.subarray(0, got) : zeros.subarray(0, Math.min(left, BUFFER))
        this.write(piece)
        left -= piece.length
      }
    } finally {
      fs.closeSync(fd)
    }
    this.write(zeros.subarray(0, tarPadding(size)))
  }
}

const inside = (folder: Buffer, name: Buffer) =>
  folder.length === 0 ? name : Buffer.concat([folder, slash, name])

/** Those that layers carry; see extract.ts. */
export function isLayerXattr(name: string): boolean {
  return name === 'security.capability' || (name.startsWith('user.') && !name.startsWith('user.overlay.'))
}

function xattrsOf(at: Buffer): Map<string, Buffer> {
  const names = llistXattr(at).filter(isLayerXattr)
  return new Map(names.map((name) => [name, lgetXattr(at, name) ?? Buffer.alloc(0)]))
}
