/** An image archive in a file, by the names of its entries. @module */

import { closeSync, openSync, statSync } from 'node:fs'
import fs from 'node:fs/promises'
import { invalid } from '@kernel/contracts'
import { cleanPath } from '../layers/extract.ts'
import type { Source } from '../layers/jobs.ts'
import { entriesOf, indexFile, type TarEntry, WindowedFile } from '../layers/tar-file.ts'

/** Entries of an archive: some per layer and image. */
const MOST_ENTRIES = 100_000
/** Bytes of a manifest or configuration. */
const LARGEST_DOCUMENT = 8 << 20
const LONGEST_LINK_CHAIN = 10

export class ArchiveReader {
  private readonly file: string
  private readonly entries = new Map<string, TarEntry>()

  /** Reads the list of entries. @throws invalid where it is no tar */
  constructor(file: string) {
    this.file = file
    const fd = openSync(file, 'r')
    try {
      const rows = indexFile(new WindowedFile(fd, statSync(file).size), MOST_ENTRIES)
      for (const entry of entriesOf(rows)) this.entries.set(cleanPath(entry.path), entry)
    } finally {
      closeSync(fd)
    }
  }

  has(path: string): boolean {
    return this.find(path) !== undefined
  }

  /** Where the data of an entry is in the file. @throws invalid where there is no such entry */
  source(path: string): Required<Source> {
    const entry = this.find(path)
    if (!entry) throw invalid(`the archive lacks ${path}, which its manifest names`)
    return { file: this.file, offset: entry.offset, size: entry.size }
  }

  /** The bytes of a document. */
  async bytes(path: string): Promise<Buffer> {
    const { offset, size } = this.source(path)
    if (size > LARGEST_DOCUMENT) throw invalid(`${path} of the archive has over ${LARGEST_DOCUMENT} bytes`)
    const file = await fs.open(this.file, 'r')
    try {
      const buffer = Buffer.alloc(size)
      await file.read(buffer, 0, size, offset)
      return buffer
    } finally {
      await file.close()
    }
  }

  /** A document as JSON; undefined where there is none. */
  async json<T>(path: string): Promise<T | undefined> {
    if (!this.has(path)) return undefined
    try {
      return JSON.parse((await this.bytes(path)).toString()) as T
    } catch (cause) {
      if (cause instanceof SyntaxError) throw invalid(`${path} of the archive is not JSON`, { cause })
      throw cause
    }
  }

  /** Older archives say by a link that two images share a layer. */
  private find(path: string): TarEntry | undefined {
    let name = cleanPath(path)
    for (let step = 0; step < LONGEST_LINK_CHAIN; step++) {
      const entry = this.entries.get(name)
      if (!entry || entry.kind === 'directory') return undefined
      if (entry.kind === 'file') return entry
      const folder = name.slice(0, Math.max(name.lastIndexOf('/'), 0))
      name = cleanPath(entry.kind === 'link' ? entry.linkPath : `${folder}/${entry.linkPath}`)
    }
    return undefined
  }
}
