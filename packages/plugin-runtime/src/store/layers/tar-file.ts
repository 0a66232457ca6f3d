/** A tar in a file, or in a part of one: its entries, and their data through a window. @module */
import fs from 'node:fs'
import { invalid } from '@kernel/contracts'
import { type TarEntries, TarError, TarScanner } from '@kernel/core-wasm'

export type TarKind = 'file' | 'link' | 'symlink' | 'char' | 'block' | 'directory' | 'fifo'

/** Paths are bytes, held as latin1 strings: one character is one byte, whatever the encoding. */
export interface TarEntry {
  path: string
  linkPath: string
  kind: TarKind
  mode: number
  uid: number
  gid: number
  /** Seconds since 1970, with fraction. */
  mtime: number
  major: number
  minor: number
  /** Where the data begins in the tar, and its bytes. */
  offset: number
  size: number
  xattrs: Map<string, Buffer> | undefined
}

/** A file of a layer, and where its data is in the tar. */
export interface FileData {
  /** Clean, as latin1. */
  path: string
  offset: number
  size: number
}

const WINDOW = 1 << 20

const kinds: Record<string, TarKind> = {
  '0': 'file',
  '1': 'link',
  '2': 'symlink',
  '3': 'char',
  '4': 'block',
  '5': 'directory',
  '6': 'fifo',
  '7': 'file',
}

/** Finds a tar's entries as its bytes pass by. @throws invalid where it is no tar, or none that a layer can be */
export class TarIndexer {
  private readonly scanner: TarScanner

  /** @param limit entries that are too many */
  constructor(limit: number) {
    this.scanner = new TarScanner({ maxEntries: limit })
  }

  push(piece: Uint8Array): void {
    translated(() => this.scanner.push(piece))
  }

  end(): TarEntries {
    return translated(() => this.scanner.end())
  }
}

/** Says in the words of a person what core-wasm found wrong. @throws invalid */
export function translated<T>(fn: () => T): T {
  const translate = (error: unknown): never => {
    if (error instanceof TarError && error.code !== 'internal')
      throw invalid(`the layer's tar is invalid: ${error.message}`, { cause: error })
    throw error
  }
  try {
    const result = fn()
    return result instanceof Promise ? (result.catch(translate) as T) : result
  } catch (error) {
    return translate(error)
  }
}

/** The rows one by one. @throws invalid for kinds of entries that no layer has */
export function* entriesOf(rows: TarEntries): Generator<TarEntry> {
  const { columns } = rows
  for (let row = 0; row < rows.count; row++) {
    const path = rows.pathBytes(row).toString('latin1')
    const kind = kinds[rows.type(row)]
    if (kind === undefined)
      throw invalid(`the tar archive has an entry of type ${JSON.stringify(rows.type(row))}: ${path}`)
    yield {
      path,
      linkPath: rows.linkpathBytes(row).toString('latin1'),
      // An old way to say folder: a file whose name ends with a slash.
      kind: kind === 'file' && path.endsWith('/') ? 'directory' : kind,
      mode: columns.mode[row]!,
      uid: columns.uid[row]!,
      gid: columns.gid[row]!,
      mtime: columns.mtime[row]!,
      major: columns.devmajor[row]!,
      minor: columns.devminor[row]!,
      offset: columns.dataOffset[row]!,
      size: columns.size[row]!,
      xattrs: rows.xattrs(row),
    }
  }
}

/** Reads a range of an open file through a window, so that small pieces cost no call each. */
export class WindowedFile {
  readonly fd: number
  /** Bytes of the range. */
  readonly size: number
  private readonly base: number
  private readonly window = Buffer.allocUnsafeSlow(WINDOW)
  private start = 0
  private length = 0

  /** @param base where the range begins in the file; all positions are counted from there */
  constructor(fd: number, size: number, base = 0) {
    this.fd = fd
    this.size = size
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
    const wanted = Math.min(WINDOW, this.size - position)
    while (this.length < wanted) {
      const at = this.base + position + this.length
      const got = fs.readSync(this.fd, this.window, this.length, wanted - this.length, at)
      if (got === 0) break
      this.length += got
    }
  }
}

/** The entries of a tar that lies in a file. */
export function indexFile(file: WindowedFile, limit: number): TarEntries {
  const indexer = new TarIndexer(limit)
  for (let at = 0; at < file.size; at += WINDOW) indexer.push(file.read(at, WINDOW))
  return indexer.end()
}
