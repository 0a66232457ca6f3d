/** The build context: a folder, or a tar that is unpacked into one, without what .dockerignore names. @module */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import ignoreRules from '@balena/dockerignore'
import { invalid } from '@kernel/contracts'
import { compressionOf, decompressed } from '../store/layers/decompress.ts'

/** Bytes of an unpacked context. */
const largest = 32 * 2 ** 30

export interface BuildContext {
  dir: string
  /** Whether a path (relative, `/` between) is left out. */
  ignores(path: string): boolean
  /** True where a folder that is left out may hold something that is not (`!` rules). */
  exceptions: boolean
}

/** Reads `.dockerignore`, or `NAME.dockerignore` beside a Dockerfile of that name. */
export async function openContext(dir: string, dockerfilePath: string): Promise<BuildContext> {
  const read = (name: string) => readFile(join(dir, name), 'utf8').catch(() => undefined)
  const text = (await read(`${dockerfilePath}.dockerignore`)) ?? (await read('.dockerignore'))
  if (text === undefined) return { dir, ignores: () => false, exceptions: false }
  const lines = text.split(/\r?\n/).map((line) => line.trim())
  const patterns = lines.filter((line) => line !== '' && !line.startsWith('#'))
  const rules = ignoreRules.default().add(patterns)
  return {
    dir,
    ignores: (path) => rules.ignores(path),
    exceptions: patterns.some((line) => line.startsWith('!')),
  }
}

/**
 * Unpacks a tar (any compression) into an empty folder, by tar(1), which lets no entry lead out of it.
 * @throws invalid where it is no tar or unpacks to too much
 */
export async function unpackTar(
  source: AsyncIterable<Uint8Array>,
  dir: string,
  options: { keepOwner?: boolean } = {},
): Promise<void> {
  const input = Readable.from(source)
  const head = await firstBytes(input)
  if (head.length === 0) throw invalid('The build context is empty: no tar was sent.')
  const stream = decompressed(input, compressionOf(head))
  const owner = options.keepOwner ? ['--same-owner', '-p'] : ['--no-same-owner', '--no-same-permissions']
  const child = spawn('tar', ['-x', '-f', '-', '-C', dir, '--numeric-owner', ...owner], {
    stdio: ['pipe', 'ignore', 'pipe'],
  })
  let complaint = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(0, 1000)
  })
  const closed = once(child, 'close') as Promise<[number | null]>
  let size = 0
  const bounded = async function* (pieces: AsyncIterable<Buffer>) {
    for await (const piece of pieces) {
      size += piece.length
      if (size > largest) throw invalid(`The build context unpacks to more than ${largest / 2 ** 30} GiB.`)
      yield piece
    }
  }
  const piped = pipeline(stream, bounded, child.stdin).catch((error: NodeJS.ErrnoException) => {
    // tar ended early: its own message says more.
    if (error.code !== 'EPIPE' && error.code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error
  })
  const [[code]] = await Promise.all([closed, piped])
  if (code !== 0)
    throw invalid(`The tar can not be unpacked: ${complaint.trim() || `tar ended with code ${code}`}`)
}

/** Peeks at the beginning; the stream gives it again. */
async function firstBytes(stream: Readable): Promise<Buffer> {
  await Promise.race([once(stream, 'readable'), once(stream, 'end')])
  const first = stream.read() as Buffer | Uint8Array | null
  if (first === null) return Buffer.alloc(0)
  stream.unshift(first)
  return Buffer.from(first)
}
