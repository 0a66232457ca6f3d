/**
 * What is done to whole layers: long, and without a pause, so that it runs in a thread of its own (worker.ts).
 * Arguments and answers are plain values that cross the thread's border.
 * @module
 */
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import { dirname } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { type Digest, failed, invalid } from '@kernel/contracts'
import { packLayer, type TarEntries } from '@kernel/core-wasm'
import { removeInRoot } from '@kernel/sys'
import { treeAttributes } from './attributes.ts'
import { changes } from './changes.ts'
import { compressionOf, decompressed } from './decompress.ts'
import {
  cleanPath,
  defaultLimits,
  type ExtractLimits,
  extractLayer,
  type MergeRules,
  mergeTar,
} from './extract.ts'
import { assembleTar, writeRecipe } from './recipe.ts'
import { entriesOf, type FileData, indexFile, TarIndexer, translated, WindowedFile } from './tar-file.ts'

/** A file, or a part of one. */
export interface Source {
  file: string
  offset?: number
  size?: number
}

export interface TarInfo {
  diffId: Digest
  /** Bytes of the uncompressed tar. */
  tarSize: number
}

export interface PackOptions {
  owner?: { uid: number; gid: number }
  /** No entry is younger than this, in seconds since 1970. */
  mtime?: number
  /** Where the folder's content shall lie in the layer, e.g. `app`. */
  prefix?: string
  /** The folder is an overlay's upper one: whiteouts and opaque folders are written in the form of OCI. */
  overlay?: boolean
  /** Paths, relative to the folder, that do not come along, with all below them. */
  leaveOut?: readonly string[]
}

export interface UnpackedInfo extends TarInfo {
  /** Bytes in regular files. */
  size: number
  /** Bytes on the disk. */
  disk: number
}

/** Tells how far a job is, in bytes of its source. */
export type Report = (current: number, total: number) => void

export const jobs = { unpack, pack, adopt, assemble, usage, remove, merge, changes }
export type Jobs = typeof jobs

/**
 * Unpacks a layer, compressed or not, into the folder `target`, and writes its recipe where it is asked for.
 * @throws invalid where the tar is not the one that `diffId` names
 */
async function unpack(
  job: {
    source: Source
    target: string
    recipe?: string
    diffId?: Digest
    limits?: ExtractLimits
    scratch: string
  },
  report: Report,
): Promise<UnpackedInfo> {
  const limits = job.limits ?? defaultLimits
  const tar = await uncompressedTar(job.source, job.scratch, limits, report)
  try {
    if (job.diffId && tar.diffId !== job.diffId)
      throw invalid(`the layer is damaged: its content has the digest ${tar.diffId}, expected ${job.diffId}`)
    const file = new WindowedFile(tar.fd, tar.tarSize, tar.offset)
    const { files, size, disk } = extractLayer(file, tar.rows, job.target, limits)
    if (job.recipe) writeRecipe(file, files, job.recipe)
    return { diffId: tar.diffId, tarSize: tar.tarSize, size, disk }
  } finally {
    fs.closeSync(tar.fd)
  }
}

/** Packs a folder to the file `out`, which is only passed on. @throws invalid for names that no layer can have */
async function pack({
  dir,
  options,
  out,
}: {
  dir: string
  options: PackOptions
  out: string
}): Promise<TarInfo> {
  const { owner, mtime, prefix, overlay, leaveOut } = options
  const { opaque, xattrs } = treeAttributes(dir)
  const packed = await translated(() =>
    packLayer({
      ...{ root: dir, out, xattrs, sync: false },
      ...(overlay && { mapWhiteouts: true, opaque }),
      ...(owner && { owner }),
      ...(mtime !== undefined && { mtimeClamp: mtime }),
      ...(prefix !== undefined && { prefix }),
      ...(leaveOut && { leaveOut }),
    }),
  )
  return { diffId: packed.diffId as Digest, tarSize: packed.size }
}

/** Makes the recipe for a folder that `tar` was packed from, and that becomes the unpacked layer itself. */
function adopt(job: { tar: string; recipe: string }): { size: number; disk: number } {
  const fd = fs.openSync(job.tar, 'r')
  try {
    const file = new WindowedFile(fd, fs.fstatSync(fd).size)
    const files: FileData[] = []
    let [size, disk] = [0, 4096]
    for (const entry of entriesOf(indexFile(file, Number.MAX_SAFE_INTEGER))) {
      if (entry.kind === 'directory') disk += 4096
      if (entry.kind !== 'file' || entry.size === 0) continue
      size += entry.size
      disk += Math.ceil(entry.size / 4096) * 4096
      files.push({ path: cleanPath(entry.path), offset: entry.offset, size: entry.size })
    }
    writeRecipe(file, files, job.recipe)
    return { size, disk }
  } finally {
    fs.closeSync(fd)
  }
}

/** Makes a layer's uncompressed tar again, from its blob or its recipe. @throws failed where it can't be had */
async function assemble(
  job: { diffId: Digest; blob?: string; recipe?: string; layer: string; out: string },
  report: Report,
): Promise<TarInfo> {
  if (!job.blob) {
    const { recipe } = job
    if (!recipe) throw failed(`the layer ${job.diffId} has neither blob nor recipe`)
    return matching(
      job.diffId,
      writeHashed(job.out, (write) => assembleTar(recipe, job.layer, write)),
    )
  }
  const hash = createHash('sha256')
  const tarSize = await expand({ file: job.blob }, job.out, Number.MAX_SAFE_INTEGER, report, (piece) =>
    hash.update(piece),
  )
  return matching(job.diffId, { diffId: `sha256:${hash.digest('hex')}`, tarSize })
}

function matching(diffId: Digest, made: TarInfo): TarInfo {
  if (made.diffId === diffId) return made
  throw failed(`the stored layer ${diffId} is damaged: its content has the digest ${made.diffId}`)
}

/** Bytes that the files and folders below `dir` take on the disk. */
function usage(job: { dir: string }): number {
  const seen = new Set<string>()
  const measure = (path: Buffer): number => {
    const stat = fs.lstatSync(path)
    if (stat.nlink > 1 && !stat.isDirectory()) {
      const id = `${stat.dev}:${stat.ino}`
      if (seen.has(id)) return 0
      seen.add(id)
    }
    const own = stat.isFile() ? stat.size : 0
    if (!stat.isDirectory()) return own
    const names = fs.readdirSync(path, { encoding: 'buffer' })
    return names.reduce((sum, name) => sum + measure(Buffer.concat([path, Buffer.from('/'), name])), own)
  }
  return measure(Buffer.from(job.dir))
}

/** Removes a tree, whatever bytes its names are made of. */
function remove(job: { path: string }): boolean {
  return removeInRoot(dirname(job.path), job.path.slice(job.path.lastIndexOf('/') + 1))
}

/** Lays the plain tar `file` over the tree in `root`, a descriptor of this process. @throws invalid */
function merge({ file, root, rules }: { file: string; root: number; rules: MergeRules }): void {
  const fd = fs.openSync(file, 'r')
  try {
    const tar = new WindowedFile(fd, fs.fstatSync(fd).size)
    const rows = indexFile(tar, (rules.limits ?? defaultLimits).entries)
    mergeTar(tar, rows, root, rules)
  } finally {
    fs.closeSync(fd)
  }
}

/** The uncompressed tar as an open file: the source itself, or a file without a name that was expanded. */
async function uncompressedTar(
  source: Source,
  scratch: string,
  limits: ExtractLimits,
  report: Report,
): Promise<TarInfo & { fd: number; offset: number; rows: TarEntries }> {
  const indexer = new TarIndexer(limits.entries)
  const hash = createHash('sha256')
  const { size, compression } = look(source)
  if (compression === 'none') {
    const fd = fs.openSync(source.file, 'r')
    const offset = source.offset ?? 0
    const buffer = Buffer.allocUnsafe(1 << 20)
    for (let done = 0; done < size; ) {
      const got = fs.readSync(fd, buffer, 0, Math.min(buffer.length, size - done), offset + done)
      if (got === 0) break
      hash.update(buffer.subarray(0, got))
      indexer.push(buffer.subarray(0, got))
      done += got
      report(done, size)
    }
    return { fd, offset, rows: indexer.end(), diffId: `sha256:${hash.digest('hex')}`, tarSize: size }
  }
  try {
    const tarSize = await expand(source, scratch, limits.bytes, report, (piece) => {
      hash.update(piece)
      indexer.push(piece)
    })
    const rows = indexer.end()
    return { fd: fs.openSync(scratch, 'r'), offset: 0, rows, diffId: `sha256:${hash.digest('hex')}`, tarSize }
  } finally {
    fs.rmSync(scratch, { force: true })
  }
}

function look(source: Source): { size: number; compression: ReturnType<typeof compressionOf> } {
  const fd = fs.openSync(source.file, 'r')
  try {
    const size = source.size ?? fs.fstatSync(fd).size - (source.offset ?? 0)
    const head = Buffer.alloc(6)
    fs.readSync(fd, head, 0, Math.min(6, size), source.offset ?? 0)
    return { size, compression: compressionOf(head) }
  } finally {
    fs.closeSync(fd)
  }
}

/** Decompresses `source` to the file `out`, showing each piece to `see`; answers the bytes written. */
async function expand(
  source: Source,
  out: string,
  limit: number,
  report: Report,
  see: (piece: Buffer) => void,
): Promise<number> {
  const { size, compression } = look(source)
  const start = source.offset ?? 0
  const input = fs.createReadStream(source.file, { start, end: start + size - 1, highWaterMark: 1 << 20 })
  const content = decompressed(input, compression)
  let total = 0
  await pipeline(
    content,
    async function* hashing(pieces: AsyncIterable<Buffer>) {
      for await (const piece of pieces) {
        total += piece.length
        if (total > limit) throw invalid(`the layer has over ${limit} bytes when it is decompressed`)
        see(piece)
        report(input.bytesRead, size)
        yield piece
      }
    },
    fs.createWriteStream(out, { mode: 0o600, highWaterMark: 1 << 20 }),
  ).catch((error: Error & { code?: string }) => {
    if (error.code?.startsWith('Z_') || error.code?.startsWith('ZSTD_'))
      throw invalid(`the layer is damaged: ${error.message}`, { cause: error })
    throw error
  })
  return total
}

function writeHashed(out: string, produce: (write: (piece: Uint8Array) => void) => void): TarInfo {
  const hash = createHash('sha256')
  const fd = fs.openSync(out, 'w', 0o600)
  // Headers are small: gathered, they cost one call a MiB.
  const gathered = Buffer.allocUnsafe(1 << 20)
  let [used, tarSize] = [0, 0]
  const flush = () => {
    for (let done = 0; done < used; ) done += fs.writeSync(fd, gathered, done, used - done)
    hash.update(gathered.subarray(0, used))
    used = 0
  }
  try {
    produce((piece) => {
      tarSize += piece.length
      for (let done = 0; done < piece.length; ) {
        const part = piece.subarray(done, done + gathered.length - used)
        gathered.set(part, used)
        used += part.length
        done += part.length
        if (used === gathered.length) flush()
      }
    })
    flush()
  } finally {
    fs.closeSync(fd)
  }
  return { diffId: `sha256:${hash.digest('hex')}`, tarSize }
}
