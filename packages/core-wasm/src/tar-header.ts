/**
 * Headers of tar entries: the host side of assembly/tar-write.ts.
 * @module
 */
import { TarError } from './errors.ts'
import { bytesOf, constant, instantiate } from './load.ts'
import type { TarType } from './tar-entries.ts'
import { Memory } from './webassembly.ts'

/** What an entry's header says. Texts may be bytes, where they are not UTF-8. */
export interface TarHeader {
  /** Relative, with `/` between names; a folder gets its final `/` here where it is missing. */
  path: string | Uint8Array
  /** A file (`'0'`) unless told. */
  type?: TarType
  /** The target of a link. */
  linkpath?: string | Uint8Array
  /** Permission bits; 0o755 for folders and 0o644 for all else unless told. */
  mode?: number
  uid?: number
  gid?: number
  /** Bytes of data that will follow; only files have any. */
  size?: number
  /** Seconds since 1970; a fraction is kept to the nanosecond. */
  mtime?: number
  devmajor?: number
  devminor?: number
  xattrs?: ReadonlyMap<string, Uint8Array>
}

interface WriteModule {
  write(
    pathLength: number,
    linkLength: number,
    xattrLength: number,
    type: number,
    mode: number,
    uid: number,
    gid: number,
    size: number,
    mtime: number,
    devmajor: number,
    devminor: number,
  ): number
}

/** What ends an archive: two blocks of zeros. */
export const TAR_END: Uint8Array = new Uint8Array(1024)

/** Zeros that follow `size` bytes of data, up to the next block of 512. */
export function tarPadding(size: number): number {
  return (512 - (size % 512)) % 512
}

/**
 * The header of one entry, a multiple of 512 bytes: ustar where everything fits, else a pax extended header and the
 * entry's own. The same entry always gives the same bytes.
 * @throws TarError where a path or number cannot be written
 */
export function writeTarHeader(header: TarHeader): Buffer {
  writer ??= load()
  const { wasm, bytes, input, inputBytes, output, failures } = writer
  const type = header.type ?? '0'
  if (!/^[0-7]$/.test(type))
    throw new TarError('unsupported', `cannot write a tar entry of type ${JSON.stringify(type)}`)

  let at = input
  const put = (text: string | Uint8Array) => {
    const length = typeof text === 'string' ? Buffer.byteLength(text) : text.length
    if (at + length > input + inputBytes) throw tooLong(header)
    if (typeof text === 'string') bytes.utf8Write(text, at, length)
    else bytes.set(text, at)
    at += length
    return length
  }
  let pathLength = put(header.path)
  if (pathLength === 0) throw new TarError('path', 'a tar entry needs a path')
  if (type === '5' && bytes[at - 1] !== 47) pathLength += put('/')
  const linkLength = put(header.linkpath ?? '')
  const xattrs = at
  for (const [key, value] of sorted(header.xattrs)) {
    const lengths = at
    put(EIGHT)
    const keyLength = put(key)
    if (keyLength === 0 || /[=\0]/.test(key))
      throw new TarError('pax', `invalid extended attribute ${JSON.stringify(key)}`)
    bytes.writeUInt32LE(keyLength, lengths)
    bytes.writeUInt32LE(put(value), lengths + 4)
  }

  const length = wasm.write(
    pathLength,
    linkLength,
    at - xattrs,
    type.charCodeAt(0),
    header.mode ?? (type === '5' ? 0o755 : 0o644),
    header.uid ?? 0,
    header.gid ?? 0,
    header.size ?? 0,
    header.mtime ?? 0,
    header.devmajor ?? 0,
    header.devminor ?? 0,
  )
  if (length === failures.tooLong) throw tooLong(header)
  if (length === failures.path) throw new TarError('path', `cannot write a tar entry named ${name(header)}`)
  if (length === failures.link) throw new TarError('path', `cannot write the link target of ${name(header)}`)
  if (length <= 0) throw new TarError('number', `a number of ${name(header)} does not fit into a tar header`)
  return Buffer.from(bytes.subarray(output, output + length))
}

const EIGHT = new Uint8Array(8)

let writer: ReturnType<typeof load> | undefined

function load() {
  const memory = new Memory({ initial: 40, maximum: 40 })
  const exports = instantiate('tar-write', memory)
  const at = (name: string) => constant(exports, name)
  if (memory.buffer.byteLength < at('MEMORY_BYTES')) throw new RangeError('the tar writer needs more memory')
  return {
    wasm: exports as unknown as WriteModule,
    bytes: bytesOf(memory),
    input: at('INPUT'),
    inputBytes: at('INPUT_BYTES'),
    output: at('OUTPUT'),
    failures: { path: at('INVALID_PATH'), link: at('INVALID_LINK'), tooLong: at('TOO_LONG') },
  }
}

function sorted(xattrs: ReadonlyMap<string, Uint8Array> | undefined): Array<[string, Uint8Array]> {
  return xattrs ? [...xattrs].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b))) : []
}

function name({ path }: TarHeader): string {
  return JSON.stringify(Buffer.from(path).subarray(0, 200).toString())
}

function tooLong(header: TarHeader): TarError {
  return new TarError('name-too-long', `the names and attributes of ${name(header)} are beyond 1 MiB`)
}
