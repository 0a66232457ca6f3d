/**
 * A recipe is a layer's tar without the data of its files: what is needed to make the very same bytes again
 * from the unpacked layer, so that the tar need not be kept beside it. (Docker's tar-split has the same idea.)
 *
 * Format, compressed by zstd: again and again `u32 literal length, u32 path length, u64 file size`, the literal
 * bytes, the path; then that many bytes of the file follow in the tar. A path length of 0 means no file.
 * Numbers are little endian.
 * @module
 */
import fs from 'node:fs'
import zlib from 'node:zlib'
import { failed } from '@kernel/contracts'
import { O_PATH, openInRoot, openRoot } from '@kernel/sys'
import type { ExtractedFile } from './extract.ts'
import type { WindowedFile } from './tar-file.ts'

const HEAD = 16
const PIECE = 1 << 20
const { O_RDONLY, O_NOFOLLOW } = fs.constants

/** Writes the recipe of the tar in `file`, which was extracted to `layer` as `files` says. */
export function writeRecipe(file: WindowedFile, layer: string, files: ExtractedFile[], out: string): void {
  const parts: Buffer[] = []
  let position = 0
  const literal = (end: number, path: string, size: number) => {
    while (end - position > PIECE) {
      parts.push(record(file, position, PIECE, '', 0))
      position += PIECE
    }
    parts.push(record(file, position, end - position, path, size))
    position = end + size
  }
  for (const { path, offset, size } of unchanged(layer, files)) literal(offset, path, size)
  literal(file.size, '', 0)
  fs.writeFileSync(out, zlib.zstdCompressSync(Buffer.concat(parts)), { mode: 0o600 })
}

/**
 * The files whose data is still where it was written: one that the tar replaced later is not, nor one whose
 * inode went to a later entry. Those stay literal.
 */
function unchanged(layer: string, files: ExtractedFile[]): ExtractedFile[] {
  const owner = new Map(files.map((file) => [file.inode, file]))
  const root = openRoot(layer)
  try {
    return files.filter((file) => owner.get(file.inode) === file && isStillThere(root, file))
  } finally {
    fs.closeSync(root)
  }
}

/** An inode that was freed may be something else by now, but then no file of that size. */
function isStillThere(root: number, { path, inode, size }: ExtractedFile): boolean {
  try {
    const fd = openInRoot(root, bytesAsPath(path), O_PATH | O_NOFOLLOW)
    try {
      const stat = fs.fstatSync(fd)
      return stat.isFile() && stat.ino === inode && stat.size === size
    } finally {
      fs.closeSync(fd)
    }
  } catch {
    return false
  }
}

function record(file: WindowedFile, position: number, length: number, path: string, size: number): Buffer {
  const name = Buffer.from(path, 'latin1')
  const made = Buffer.allocUnsafe(HEAD + length + name.length)
  made.writeUInt32LE(length, 0)
  made.writeUInt32LE(name.length, 4)
  made.writeBigUInt64LE(BigInt(size), 8)
  made.set(file.read(position, length), HEAD)
  made.set(name, HEAD + length)
  return made
}

/** Writes the tar again, piece by piece, to `write`. @throws failed where the layer lacks a file */
export function assembleTar(recipe: string, layer: string, write: (piece: Buffer) => void): void {
  const bytes = zlib.zstdDecompressSync(fs.readFileSync(recipe))
  const root = openRoot(layer)
  const buffer = Buffer.allocUnsafe(PIECE)
  try {
    for (let at = 0; at < bytes.length; ) {
      const length = bytes.readUInt32LE(at)
      const nameLength = bytes.readUInt32LE(at + 4)
      const size = Number(bytes.readBigUInt64LE(at + 8))
      const name = at + HEAD + length
      write(bytes.subarray(at + HEAD, name))
      at = name + nameLength
      if (nameLength > 0) copyFile(root, bytes.toString('latin1', name, at), size, buffer, write)
    }
  } finally {
    fs.closeSync(root)
  }
}

function copyFile(
  root: number,
  path: string,
  size: number,
  buffer: Buffer,
  write: (piece: Buffer) => void,
): void {
  const fd = openInRoot(root, bytesAsPath(path), O_RDONLY | O_NOFOLLOW)
  try {
    for (let left = size; left > 0; ) {
      const got = fs.readSync(fd, buffer, 0, Math.min(left, buffer.length), null)
      if (got === 0) throw failed(`an unpacked layer is damaged: ${JSON.stringify(path)} is too short`)
      write(buffer.subarray(0, got))
      left -= got
    }
  } finally {
    fs.closeSync(fd)
  }
}

/** For openat2, which takes bytes as well as text. */
const bytesAsPath = (path: string): string => Buffer.from(path, 'latin1') as unknown as string
