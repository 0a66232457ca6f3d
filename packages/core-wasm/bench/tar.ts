/**
 * Tar: scanning an archive of 240 MB, and writing headers.
 * @module
 */
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { createTarDecoder } from 'modern-tar'
import { extract, pack } from 'tar-stream'
import { TAR_END, TarScanner, tarPadding, writeTarHeader } from '../src/index.ts'
import { scanTar } from '../src/twin/tar-scan.ts'
import { writeHeader } from '../src/twin/tar-write.ts'
import { measure } from './measure.ts'

const ENTRIES = 30_000
const CHUNK = 1 << 20

const headers = Array.from({ length: ENTRIES }, (_, i) => ({
  path: `usr/lib/node_modules/package-${i % 300}/${i % 20 === 0 ? 'ä' : 'dist'}/file-${i}.js`,
  size: (i * 7919) % 16_000,
  mtime: 1_700_000_000 + i,
  uid: 1000,
  gid: 1000,
}))

function archive(): Buffer {
  const parts = headers.map((header) =>
    Buffer.concat([writeTarHeader(header), Buffer.alloc(header.size + tarPadding(header.size), 97)]),
  )
  return Buffer.concat([...parts, TAR_END])
}

export async function benchTar(): Promise<void> {
  const whole = archive()
  const chunks = Array.from({ length: Math.ceil(whole.length / CHUNK) }, (_, i) =>
    whole.subarray(i * CHUNK, (i + 1) * CHUNK),
  )
  const title = `scan of ${ENTRIES} entries, ${(whole.length / 1e6).toFixed(0)} MB in memory, in chunks of 1 MiB`
  await measure({ title, units: 1, unit: 'archive' }, [
    {
      name: 'core-wasm TarScanner',
      run: () => {
        const scanner = new TarScanner()
        for (const chunk of chunks) scanner.push(chunk)
        check(scanner.end().count)
      },
    },
    { name: 'JavaScript twin', run: () => check(scanTar(whole).length) },
    { name: 'tar-stream extract', run: scanWithTarStream },
    { name: 'modern-tar createTarDecoder', run: scanWithModernTar },
    { name: 'node:crypto sha256 of the same bytes', run: () => createHash('sha256').update(whole).digest() },
  ])

  async function scanWithTarStream(): Promise<void> {
    let count = 0
    const parser = extract()
    for await (const entry of Readable.from(chunks).pipe(parser)) {
      count++
      entry.resume()
    }
    check(count)
  }

  async function scanWithModernTar(): Promise<void> {
    let count = 0
    const source = Readable.toWeb(Readable.from(chunks)) as ReadableStream<Uint8Array<ArrayBuffer>>
    for await (const entry of source.pipeThrough(createTarDecoder())) {
      count++
      await entry.body.cancel()
    }
    check(count)
  }

  await measure({ title: 'tar headers', units: ENTRIES, unit: 'header' }, [
    {
      name: 'core-wasm writeTarHeader',
      run: () => {
        for (const header of headers) writeTarHeader(header)
      },
    },
    {
      name: 'JavaScript twin',
      run: () => {
        for (const header of headers) writeHeader(header)
      },
    },
    {
      name: 'tar-stream pack',
      run: async () => {
        const packer = pack()
        packer.resume()
        for (const { path, mtime, uid, gid } of headers)
          packer.entry({ name: path, mtime: new Date(mtime * 1000), uid, gid }, '')
        packer.finalize()
        await new Promise<void>((resolve) => packer.once('end', () => resolve()))
      },
    },
  ])
}

function check(count: number): void {
  if (count !== ENTRIES) throw new Error(`${count} entries instead of ${ENTRIES}`)
}
