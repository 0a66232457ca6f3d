/**
 * Archives to test with: random headers, what came of a scan, and the comparison with the twin.
 * @module
 */
import fc from 'fast-check'
import { TarError } from '../errors.ts'
import type { TarEntries } from '../tar-entries.ts'
import { TAR_END, type TarHeader, tarPadding, writeTarHeader } from '../tar-header.ts'
import { TarScanner } from '../tar-scanner.ts'
import { scanTar, type TwinEntry } from './tar-scan.ts'

export function rows(entries: TarEntries): TwinEntry[] {
  const { columns } = entries
  return Array.from({ length: entries.count }, (_, i) => ({
    path: entries.pathBytes(i).toString('latin1'),
    linkpath: entries.linkpathBytes(i).toString('latin1'),
    type: entries.type(i),
    mode: columns.mode[i]!,
    uid: columns.uid[i]!,
    gid: columns.gid[i]!,
    size: columns.size[i]!,
    mtime: columns.mtime[i]!,
    devmajor: columns.devmajor[i]!,
    devminor: columns.devminor[i]!,
    dataOffset: columns.dataOffset[i]!,
    xattrs: [...(entries.xattrs(i) ?? [])].map(([key, value]) => [key, value.toString('latin1')]),
  }))
}

export function scan(archive: Buffer, chunk = archive.length || 1): TwinEntry[] {
  const scanner = new TarScanner()
  for (let at = 0; at < archive.length; at += chunk) scanner.push(archive.subarray(at, at + chunk))
  return rows(scanner.end())
}

/** What came of a scan: its rows, or the error's code and place. */
export function outcome(run: () => TwinEntry[]): unknown {
  try {
    return run()
  } catch (error) {
    if (!(error instanceof TarError) || error.code === 'internal') throw error
    return { code: error.code, offset: error.offset }
  }
}

// The twin keeps every record; of two with one name the last one counts.
export function twin(archive: Buffer): TwinEntry[] {
  const text = (latin1: string) => Buffer.from(latin1, 'latin1').toString()
  return scanTar(archive).map((entry) => ({
    ...entry,
    xattrs: [...new Map(entry.xattrs.map(([key, value]) => [text(key), value]))],
  }))
}

export function archiveOf(headers: TarHeader[], write = writeTarHeader): Buffer {
  const parts = headers.map((header) => {
    const size = header.size ?? 0
    return Buffer.concat([write(header), Buffer.alloc(size, 'data'), Buffer.alloc(tarPadding(size))])
  })
  return Buffer.concat([...parts, TAR_END])
}

// Sets a header's checksum right after its bytes were changed.
export function seal(archive: Buffer, block: number): void {
  archive.fill(32, block + 148, block + 156)
  const sum = archive.subarray(block, block + 512).reduce((a, b) => a + b, 0)
  archive.write(`${sum.toString(8).padStart(6, '0')}\0 `, block + 148, 'latin1')
}

const word = fc.string({
  unit: fc.constantFrom('a', 'B', '.', '-', 'é', '文', ' ', '😀', '/'),
  minLength: 1,
  maxLength: 60,
})
const path = fc.oneof(
  fc
    .array(fc.constantFrom('usr', 'lib', 'x'.repeat(90), 'y'.repeat(40), 'é'), { minLength: 1, maxLength: 6 })
    .map((p) => p.join('/')),
  word,
)
const xattrs = fc
  .dictionary(fc.constantFrom('user.a', 'user.ü', 'security.capability'), fc.uint8Array({ maxLength: 40 }))
  .map((all) => new Map(Object.entries(all)))
const seconds = fc.oneof(
  fc.constantFrom(0, 1700000000, 8589934591, 8589934592, -1, -1.5, 1700000000.25, 0.999999999),
  fc.integer({ min: 0, max: 2 ** 33 }),
  fc.double({ min: -1e9, max: 1e10, noNaN: true }),
)
const owner = fc.constantFrom(0, 1000, 0o7777777, 0o10000000, 2 ** 32 - 1)
const base = { path, mode: fc.nat(0o7777), uid: owner, gid: owner, mtime: seconds, xattrs }
export const header: fc.Arbitrary<TarHeader> = fc.oneof(
  fc.record({ ...base, type: fc.constant('0'), size: fc.nat(2000) }),
  fc.record({ ...base, type: fc.constant('5') }),
  fc.record({ ...base, type: fc.constantFrom('1', '2'), linkpath: path }),
  fc.record({
    ...base,
    type: fc.constantFrom('3', '4'),
    devmajor: fc.nat(2 ** 21 - 1),
    devminor: fc.nat(255),
  }),
  fc.record({ ...base, type: fc.constant('6') }),
)
