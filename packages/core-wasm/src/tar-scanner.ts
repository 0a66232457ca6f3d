/**
 * Scans tar archives: the host side of assembly/tar-scan.ts.
 * @module
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { type ColumnAddresses, ColumnSink, type ScanLimits } from './column-sink.ts'
import { TarError, type TarErrorCode } from './errors.ts'
import { constant, instantiate } from './load.ts'
import { TarEntries } from './tar-entries.ts'
import { Memory, RuntimeError, type WasmMemory } from './webassembly.ts'

interface ScanModule {
  reset(): void
  scan(length: number, windowStart: number): number
  rowCount(): number
  arenaBytes(): number
  nextHeader(): number
  isPending(): number
  drain(): void
}

const FAILURES: Record<string, [TarErrorCode, string]> = {
  CHECKSUM: ['checksum', 'the header does not match its checksum: this is no tar archive, or it is damaged'],
  LONE_ZERO: ['checksum', 'the archive goes on after a block of zeros that should end it'],
  TRUNCATED: ['truncated', 'the archive ends where an entry should follow'],
  SPARSE: ['sparse', 'sparse files are not supported in layers; pack them without --sparse'],
  NUMBER: ['number', 'a numeric field is malformed or out of range'],
  NAME_TOO_LONG: ['name-too-long', 'a long name or extended header is beyond 1 MiB'],
  PAX: ['pax', 'the extended header is malformed'],
  UNSUPPORTED: ['unsupported', 'multi-volume, volume label and dump entries have no meaning in a layer'],
}

// Fixed, so that views of it never detach: columns, names and window of assembly/tar-scan.ts.
const MEMORY_PAGES = 128

/** An instance of the module with its memory; used for one archive after the other. */
class Scanner {
  readonly memory: WasmMemory
  readonly wasm: ScanModule
  readonly window: Buffer
  readonly columns: ColumnAddresses
  readonly arena: number
  readonly more: number
  readonly flush: number
  readonly end: number
  readonly failures: Map<number, [TarErrorCode, string]>

  constructor() {
    this.memory = new Memory({ initial: MEMORY_PAGES, maximum: MEMORY_PAGES })
    const exports = instantiate('tar-scan', this.memory)
    const at = (name: string) => constant(exports, name)
    this.wasm = exports as unknown as ScanModule
    if (this.memory.buffer.byteLength < at('MEMORY_BYTES'))
      throw new RangeError('the scanner needs more memory')
    this.window = Buffer.from(this.memory.buffer as ArrayBuffer, at('WINDOW'), at('WINDOW_BYTES'))
    this.arena = at('ARENA')
    this.more = at('MORE')
    this.flush = at('FLUSH')
    this.end = at('END')
    this.columns = {
      dataOffset: at('DATA_OFFSET'),
      size: at('SIZE'),
      mtime: at('MTIME'),
      mode: at('MODE'),
      uid: at('UID'),
      gid: at('GID'),
      devmajor: at('DEVMAJOR'),
      devminor: at('DEVMINOR'),
      pathOffset: at('PATH_OFFSET'),
      pathLength: at('PATH_LENGTH'),
      linkOffset: at('LINK_OFFSET'),
      linkLength: at('LINK_LENGTH'),
      xattrOffset: at('XATTR_OFFSET'),
      xattrLength: at('XATTR_LENGTH'),
      type: at('TYPE'),
    }
    this.failures = new Map(Object.entries(FAILURES).map(([name, failure]) => [at(name), failure]))
  }
}

// Scanners that have finished their archive well. One that failed is never used again.
const idle: Scanner[] = []

/**
 * Scans an archive that arrives in chunks of any size. An error is final.
 *
 * @example
 * const scanner = new TarScanner()
 * for await (const chunk of stream) scanner.push(chunk)
 * const entries = scanner.end()
 */
export class TarScanner {
  readonly #scanner: Scanner
  readonly #sink: ColumnSink
  // The window holds `#length` bytes, which lie `#start` bytes into the archive.
  #start = 0
  #length = 0
  #finished = false
  #failure: unknown

  constructor(limits: ScanLimits = {}) {
    this.#sink = new ColumnSink(limits)
    this.#scanner = idle.pop() ?? new Scanner()
    this.#scanner.wasm.reset()
  }

  /** The archive's next bytes. @throws TarError */
  push(chunk: Uint8Array): void {
    const { window } = this.#scanner
    let at = 0
    while (at < chunk.length && !this.#finished) {
      at += this.#skip(chunk.length - at)
      const n = Math.min(chunk.length - at, window.length - this.#length)
      window.set(chunk.subarray(at, at + n), this.#length)
      at += n
      this.#advance(n)
    }
  }

  /** Scans the rest of an archive by reading a file from its current place; data that holds no header is not read. */
  pull(file: number, fileSize: number): void {
    const { window } = this.#scanner
    while (!this.#finished) {
      this.#skip(fileSize - this.#start - this.#length)
      const position = this.#start + this.#length
      const n = readSync(
        file,
        window,
        this.#length,
        Math.min(READ_BYTES, window.length - this.#length),
        position,
      )
      if (n === 0) return
      this.#advance(n)
    }
  }

  /** The entries. @throws TarError where the archive is not whole */
  end(): TarEntries {
    if (this.#failure) throw this.#failure
    const { wasm } = this.#scanner
    const next = this.#guard(() => wasm.nextHeader())
    if (!this.#finished && (next !== this.#start + this.#length || wasm.isPending())) {
      throw this.#fail(new TarError('truncated', 'the archive ends within an entry', next))
    }
    this.#drain()
    idle.push(this.#scanner)
    this.#failure = new TarError('internal', 'this scanner has given its entries')
    return new TarEntries(this.#sink.finish())
  }

  // Passes over data, as far as `available` bytes go, while the window is empty. Gives the bytes passed.
  #skip(available: number): number {
    if (this.#failure) throw this.#failure
    if (this.#length > 0) return 0
    const n = Math.max(0, Math.min(available, this.#scanner.wasm.nextHeader() - this.#start))
    this.#start += n
    return n
  }

  // Scans the window after `n` more bytes have come into it, and moves what is left over to its front.
  #advance(n: number): void {
    this.#length += n
    const { wasm, window, more, flush, end, failures } = this.#scanner
    let status = flush
    while (status === flush) {
      status = this.#guard(() => wasm.scan(this.#length, this.#start))
      if (status === flush) this.#drain()
    }
    const next = wasm.nextHeader()
    if (status === end) this.#finished = true
    else if (status !== more) {
      const [code, message] = failures.get(status) ?? ['internal', `the scanner gave status ${status}`]
      throw this.#fail(new TarError(code, message, next))
    }
    const done = Math.min(next - this.#start, this.#length)
    window.copyWithin(0, done, this.#length)
    this.#start += done
    this.#length -= done
  }

  #drain(): void {
    const { wasm, memory, columns, arena } = this.#scanner
    try {
      this.#sink.take(memory.buffer, columns, wasm.rowCount(), arena, wasm.arenaBytes())
    } catch (error) {
      throw this.#fail(error)
    }
    wasm.drain()
  }

  #guard<T>(call: () => T): T {
    try {
      return call()
    } catch (cause) {
      if (!(cause instanceof RuntimeError)) throw cause
      throw this.#fail(new TarError('internal', 'the tar scanner trapped', undefined, { cause }))
    }
  }

  #fail(error: unknown): unknown {
    this.#failure = error
    return error
  }
}

const READ_BYTES = 512 << 10

/** The entries of an uncompressed tar file. @throws TarError, or the file system's error */
export function scanTarFile(path: string, limits: ScanLimits = {}): TarEntries {
  const file = openSync(path, 'r')
  try {
    const scanner = new TarScanner(limits)
    scanner.pull(file, fstatSync(file).size)
    return scanner.end()
  } finally {
    closeSync(file)
  }
}
