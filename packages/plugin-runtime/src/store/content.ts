/**
 * Blobs by their digest: `content/sha256/HEX`, and half-fetched ones in `content/partial/HEX`. A blob is where
 * its name says only after every byte was hashed.
 * @module
 */
import { createHash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import fs from 'node:fs/promises'
import { join } from 'node:path'
import { type Digest, failed, invalid } from '@kernel/contracts'
import { ensureDir, KeyedMutex } from '@kernel/state'
import { compressionOfSource } from './layers/compression.ts'
import { decompressed } from './layers/decompress.ts'
import type { Source } from './layers/jobs.ts'
import type { Records } from './records.ts'

/** Half-fetched blobs are worth something for this long, in milliseconds. */
const PARTIAL_LIFE = 24 * 3_600_000

export class Content {
  readonly dir: string
  private readonly records: Records
  private readonly mutex = new KeyedMutex()

  private constructor(dir: string, records: Records) {
    this.dir = dir
    this.records = records
  }

  /** Makes the folders, and sweeps what has no record. */
  static async open(dir: string, records: Records): Promise<Content> {
    const content = new Content(dir, records)
    for (const folder of [dir, join(dir, 'sha256'), join(dir, 'partial'), join(dir, 'tmp')])
      await ensureDir(folder)
    await content.sweep()
    return content
  }

  path(digest: Digest): string {
    return join(this.dir, 'sha256', digest.slice('sha256:'.length))
  }

  partialPath(digest: Digest): string {
    return join(this.dir, 'partial', digest.slice('sha256:'.length))
  }

  /** A name for a file that this run of the program uses and removes. */
  temporaryPath(): string {
    return join(this.dir, 'tmp', randomBytes(8).toString('hex'))
  }

  /** Whether the blob is here: both record and file. */
  has(digest: Digest): boolean {
    return this.records.blobSize(digest) !== undefined
  }

  /** A small blob as bytes, verified. @throws failed where it is damaged or missing */
  async read(digest: Digest): Promise<Buffer> {
    const bytes = await fs.readFile(this.path(digest)).catch((cause) => {
      throw failed(`the stored content ${digest} cannot be read`, { cause })
    })
    if (digestOf(bytes) !== digest) throw failed(`the stored content ${digest} is damaged`)
    return bytes
  }

  /** Stores bytes that are in memory. */
  async write(bytes: Uint8Array): Promise<Digest> {
    const digest = digestOf(bytes)
    if (this.has(digest)) return digest
    const temporary = this.temporaryPath()
    const file = await fs.open(temporary, 'wx', 0o600)
    try {
      await file.writeFile(bytes)
    } finally {
      await file.close()
    }
    await this.install(temporary, digest, bytes.length)
    return digest
  }

  /**
   * Writes a stream to a temporary file, hashing it on the way.
   * @throws invalid beyond `limit` bytes, or where the digest is another than `expected`
   */
  async spool(
    source: AsyncIterable<Uint8Array>,
    options: { limit: number; expected?: Digest },
  ): Promise<{ file: string; digest: Digest; size: number }> {
    const path = this.temporaryPath()
    const hash = createHash('sha256')
    const file = await fs.open(path, 'wx', 0o600)
    let size = 0
    try {
      for await (const piece of source) {
        size += piece.length
        if (size > options.limit) throw invalid(`the archive has over ${options.limit} bytes`)
        hash.update(piece)
        for (let done = 0; done < piece.length; ) done += (await file.write(piece, done)).bytesWritten
      }
      const digest: Digest = `sha256:${hash.digest('hex')}`
      if (options.expected && digest !== options.expected)
        throw invalid(`the content has the digest ${digest}, expected ${options.expected}`)
      return { file: path, digest, size }
    } catch (error) {
      await fs.rm(path, { force: true })
      throw error
    } finally {
      await file.close()
    }
  }

  /** {@link spool} of an archive that may be compressed; answers the file with the plain tar. */
  async spoolUncompressed(source: AsyncIterable<Uint8Array>, options: { limit: number }): Promise<string> {
    const { file } = await this.spool(source, options)
    const compression = compressionOfSource({ file })
    if (compression === 'none') return file
    try {
      return (await this.spool(decompressed(createReadStream(file), compression), options)).file
    } finally {
      await this.discard(file)
    }
  }

  /** Removes a temporary file. */
  async discard(file: string): Promise<void> {
    await fs.rm(file, { force: true })
  }

  /** Makes a part of a file a blob. @throws invalid where its digest is another */
  async importRange({ file, offset, size }: Required<Source>, digest: Digest): Promise<void> {
    if (this.has(digest)) return
    const part = createReadStream(file, { start: offset, end: offset + size - 1 })
    const spooled = await this.spool(part, { limit: size, expected: digest })
    await this.install(spooled.file, digest, size)
  }

  /** Makes a hashed file the blob of that digest: on the disk first, then renamed, then recorded. */
  async install(file: string, digest: Digest, size: number): Promise<void> {
    await syncFile(file)
    await fs.rename(file, this.path(digest))
    await syncFile(join(this.dir, 'sha256'))
    this.records.addBlob(digest, size)
  }

  stream(digest: Digest): AsyncIterable<Buffer> {
    return createReadStream(this.path(digest))
  }

  /** Removes the file of a blob whose record is gone. */
  async remove(digest: Digest): Promise<void> {
    await this.exclusively(digest, async () => {
      if (!this.has(digest)) await fs.rm(this.path(digest), { force: true })
    })
  }

  /** Two pulls of one blob: the second waits, and finds it here. */
  exclusively<T>(digest: Digest, fn: () => Promise<T>): Promise<T> {
    return this.mutex.run(digest, fn)
  }

  /** Half-fetched blobs, and their bytes. */
  async partials(): Promise<{ digest: Digest; size: number }[]> {
    const names = await fs.readdir(join(this.dir, 'partial'))
    return Promise.all(
      names.map(async (name) => ({
        digest: `sha256:${name}` as Digest,
        size: await fs.stat(join(this.dir, 'partial', name)).then(
          (stat) => stat.size,
          () => 0,
        ),
      })),
    )
  }

  /** Makes a blob whose record is gone a partial one again, which the next pull verifies and takes. */
  async setAside(digest: Digest): Promise<void> {
    await this.exclusively(digest, async () => {
      if (!this.has(digest)) await fs.rename(this.path(digest), this.partialPath(digest)).catch(ignoreMissing)
    })
  }

  async removePartial(digest: Digest): Promise<void> {
    await fs.rm(this.partialPath(digest), { force: true })
  }

  /**
   * For the start. A blob without a record is one that a pull had fetched when the program was killed: it goes
   * back among the partial ones, where the next pull finds it and verifies it again.
   */
  private async sweep(): Promise<void> {
    for (const name of await fs.readdir(join(this.dir, 'tmp')))
      await fs.rm(join(this.dir, 'tmp', name), { recursive: true, force: true })
    for (const name of await fs.readdir(join(this.dir, 'sha256'))) {
      const digest: Digest = `sha256:${name}`
      if (!this.has(digest)) await fs.rename(this.path(digest), this.partialPath(digest))
    }
    for (const name of await fs.readdir(join(this.dir, 'partial'))) {
      const path = join(this.dir, 'partial', name)
      const { mtimeMs } = await fs.stat(path)
      if (Date.now() - mtimeMs > PARTIAL_LIFE) await fs.rm(path, { force: true })
    }
  }
}

export function digestOf(bytes: Uint8Array): Digest {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}

function ignoreMissing(error: { code?: string }): void {
  if (error.code !== 'ENOENT') throw error
}

/** Flushes a file, or a folder's names, to the disk. */
async function syncFile(path: string): Promise<void> {
  const handle = await fs.open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
