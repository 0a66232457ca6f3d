/**
 * Writes a layer's file and hashes it on the way.
 * @module
 */
import { createHash } from 'node:crypto'
import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs'
import { finished } from 'node:stream/promises'
import { createGzip, type Gzip } from 'node:zlib'

/** What was written. */
export interface LayerDigests {
  /** `sha256:` of the file as it is. */
  digest: string
  /** `sha256:` of the uncompressed archive. */
  diffId: string
  /** Bytes of the file as it is. */
  size: number
}

const CHUNK = 1 << 20

/**
 * A file that is filled chunk by chunk. While one chunk is deflated in libuv's pool, this thread hashes it and fills
 * the next one, so no more than two are in memory.
 *
 * @example
 * if (file.advance(readSync(source, file.room))) await file.flush()
 */
export class LayerFile {
  readonly #file: number
  readonly #sync: boolean
  readonly #diff = createHash('sha256')
  readonly #blob = createHash('sha256')
  readonly #gzip: Gzip | undefined
  readonly #deflated: Promise<void> = Promise.resolve()
  #deflating: Promise<void> = Promise.resolve()
  #failure: unknown
  #chunk = Buffer.allocUnsafeSlow(CHUNK)
  #spare = Buffer.allocUnsafeSlow(CHUNK)
  #used = 0
  #size = 0

  constructor(path: string, gzip: boolean, sync: boolean) {
    this.#sync = sync
    this.#file = openSync(path, 'w', 0o600)
    if (!gzip) return
    this.#gzip = createGzip()
    this.#gzip.on('data', (bytes: Buffer) => this.#writeDeflated(bytes))
    this.#deflated = finished(this.#gzip)
    this.#deflated.catch(() => {}) // told by finish, where it comes to that
  }

  /** Where the next bytes go. */
  get room(): Buffer {
    return this.#chunk.subarray(this.#used)
  }

  /** Counts bytes that were put into `room`. True when the chunk is full, and `flush` is due. */
  advance(bytes: number): boolean {
    this.#used += bytes
    return this.#used === CHUNK
  }

  /** Appends bytes. */
  async put(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const part = bytes.subarray(at, at + CHUNK - this.#used)
      this.room.set(part)
      at += part.length
      if (this.advance(part.length)) await this.flush()
    }
  }

  /** Sends the present chunk on its way. */
  async flush(): Promise<void> {
    const bytes = this.#chunk.subarray(0, this.#used)
    if (this.#gzip) {
      const gzip = this.#gzip
      await this.#deflating
      if (this.#failure) throw this.#failure
      this.#deflating = new Promise((resolve) => gzip.write(bytes, () => resolve()))
    } else this.#write(bytes)
    this.#diff.update(bytes)
    const spare = this.#spare
    this.#spare = this.#chunk
    this.#chunk = spare
    this.#used = 0
  }

  /** Ends the file, and brings it to the disk where that was asked for. */
  async finish(): Promise<LayerDigests> {
    await this.flush()
    this.#gzip?.end()
    await this.#deflated
    if (this.#sync) fsyncSync(this.#file)
    const diffId = `sha256:${this.#diff.digest('hex')}`
    return { digest: this.#gzip ? `sha256:${this.#blob.digest('hex')}` : diffId, diffId, size: this.#size }
  }

  close(): void {
    this.#gzip?.destroy()
    closeSync(this.#file)
  }

  // A listener must not throw: the stream fails with what went wrong.
  #writeDeflated(bytes: Buffer): void {
    try {
      this.#write(bytes)
      this.#blob.update(bytes)
    } catch (error) {
      this.#failure = error
      this.#gzip!.destroy(error as Error)
    }
  }

  #write(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#file, bytes, at)
    this.#size += bytes.length
  }
}
