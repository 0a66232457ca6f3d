/** Compressed layers: told by their first bytes, never by their names. @module */
import { spawn } from 'node:child_process'
import { Duplex, type Readable } from 'node:stream'
import zlib from 'node:zlib'
import { notSupported } from '@kernel/contracts'

export type Compression = 'none' | 'gzip' | 'zstd' | 'bzip2' | 'xz'

const magics: [Exclude<Compression, 'none'>, number[]][] = [
  ['gzip', [0x1f, 0x8b, 0x08]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  ['bzip2', [0x42, 0x5a, 0x68]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
]

/** What the first bytes (six are enough) say. */
export function compressionOf(head: Uint8Array): Compression {
  return magics.find(([, magic]) => magic.every((byte, i) => head[i] === byte))?.[0] ?? 'none'
}

/** The stream's content; gzip and zstd natively, bzip2 and xz by the system's tools. @throws not-supported */
export function decompressed(source: Readable, compression: Compression): Readable {
  if (compression === 'none') return source
  const decoder =
    compression === 'gzip'
      ? zlib.createGunzip()
      : compression === 'zstd'
        ? zlib.createZstdDecompress()
        : systemTool(compression)
  source.on('error', (error) => decoder.destroy(error))
  decoder.on('close', () => source.destroy())
  return source.pipe(decoder)
}

function systemTool(tool: 'bzip2' | 'xz'): Duplex {
  const child = spawn(tool, ['-dc'], { stdio: ['pipe', 'pipe', 'pipe'] })
  const stream = Duplex.from({ readable: child.stdout, writable: child.stdin } as never)
  let complaint = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(0, 500)
  })
  child.on('error', (cause) => {
    const message = `cannot decompress: the program ${tool} is not there`
    stream.destroy(
      notSupported(message, {
        hint: `install ${tool} (Debian: ${tool}${tool === 'xz' ? '-utils' : ''})`,
        cause,
      }),
    )
  })
  child.on('exit', (code) => {
    if (code !== 0) stream.destroy(new Error(`${tool}: ${complaint.trim() || `ended with code ${code}`}`))
  })
  stream.on('close', () => child.kill())
  return stream
}
