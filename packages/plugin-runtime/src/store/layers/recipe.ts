/**
 * A recipe is a layer's tar without the data of its files: what is needed to make the very same bytes again
 * from the unpacked layer, so that the tar need not be kept beside it. (Docker's tar-split has the same idea.)
 *
 * Format: frames, each `u32 length` and that many bytes compressed by zstd. A frame holds whole records: `u32
 * literal length, u32 path length, u64 file size`, the literal bytes of the tar, the path; then that many bytes
 * of the file follow in the tar. A path length of 0 means no file. Numbers are little endian.
 * @module
 */
import fs from 'node:fs'
import zlib from 'node:zlib'
import { failed } from '@kernel/contracts'
import { openInRoot, openRoot } from '@kernel/sys'
import type { FileData, WindowedFile } from './tar-file.ts'

const HEAD = 16
/** Literal bytes of a record at most, and bytes of a buffer for data. */
const PIECE = 1 << 20
/** Bytes of records in a frame, about. */
const FRAME = 4 << 20
const { O_RDONLY, O_NOFOLLOW } = fs.constants

/** Writes the recipe of the tar in `file`; of `files` the unpacked layer has the data. */
export function writeRecipe(file: WindowedFile, files: FileData[], out: string): void {
  const fd = fs.openSync(out, 'w', 0o600)
  try {
    const frames = new FrameWriter(fd)
    let position = 0
    const upTo = (end: number, path: string, size: number) => {
      for (; end - position > PIECE; position += PIECE) frames.add(record(file, position, PIECE, '', 0))
      frames.add(record(file, position, end - position, path, size))
      position = end + size
    }
    for (const { path, offset, size } of files) upTo(offset, path, size)
    upTo(file.size, '', 0)
    frames.flush()
  } finally {
    fs.closeSync(fd)
  }
}

class FrameWriter {
  private readonly fd: number
  private records: Buffer[] = []
  private size = 0

  constructor(fd: number) {
    this.fd = fd
  }

  add(made: Buffer): void {
    this.records.push(made)
    this.size += made.length
    if (this.size >= FRAME) this.flush()
  }

  flush(): void {
    const frame = zlib.zstdCompressSync(Buffer.concat(this.records))
    const length = Buffer.alloc(4)
    length.writeUInt32LE(frame.length)
    const bytes = Buffer.concat([length, frame])
    for (let done = 0; done < bytes.length; ) done += fs.writeSync(this.fd, bytes, done)
    this.records = []
    this.size = 0
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
  const fd = fs.openSync(recipe, 'r')
  const root = openRoot(layer)
  const buffer = Buffer.allocUnsafe(PIECE)
  try {
    for (const bytes of frames(fd)) {
      for (let at = 0; at < bytes.length; ) {
        const length = bytes.readUInt32LE(at)
        const nameLength = bytes.readUInt32LE(at + 4)
        const size = Number(bytes.readBigUInt64LE(at + 8))
        const name = at + HEAD + length
        write(bytes.subarray(at + HEAD, name))
        at = name + nameLength
        if (nameLength > 0) copyFile(root, bytes.subarray(name, at), size, buffer, write)
      }
    }
  } finally {
    fs.closeSync(root)
    fs.closeSync(fd)
  }
}

function* frames(fd: number): Generator<Buffer> {
  const length = Buffer.alloc(4)
  while (fs.readSync(fd, length) === 4) {
    const frame = Buffer.alloc(length.readUInt32LE())
    if (fs.readSync(fd, frame) < frame.length) throw failed('the recipe of a layer is cut off')
    yield zlib.zstdDecompressSync(frame)
  }
}

function copyFile(
  root: number,
  path: Buffer,
  size: number,
  buffer: Buffer,
  write: (piece: Buffer) => void,
): void {
  // openat2 takes bytes as well as text.
  const fd = openInRoot(root, path as unknown as string, O_RDONLY | O_NOFOLLOW)
  try {
    for (let left = size; left > 0; ) {
      const got = fs.readSync(fd, buffer, 0, Math.min(left, buffer.length), null)
      if (got === 0)
        throw failed(`an unpacked layer is damaged: ${JSON.stringify(String(path))} is too short`)
      write(buffer.subarray(0, got))
      left -= got
    }
  } finally {
    fs.closeSync(fd)
  }
}
