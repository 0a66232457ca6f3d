/** Files of a container as a tar that is made while it is read, by tar(1). @module */
import { spawn } from 'node:child_process'
import { failed } from '@kernel/contracts'
import { findProgram } from '../host/programs.ts'

export interface TarStream {
  tar: AsyncIterable<Uint8Array>
  /** Settles when tar has ended, however that came. */
  ended: Promise<void>
}

export interface TarSource {
  /** Descriptor of a folder; it may be closed when this returns. */
  folder: number
  /** Entries of the folder by name; undefined: the folder itself. */
  entries?: Buffer[]
  /** What stands in the tar in place of the folder's own `.`; `/` makes the names absolute. */
  rename?: string
}

/**
 * tar follows no link, and looks names up in the folders it holds open: nobody leads it out by changing things
 * under its hands. What changes while it is read is no failure, as with a backup of a system that runs.
 * @param signal ends it
 * @throws failed where this machine has no tar
 */
export function streamTar({ folder, entries, rename }: TarSource, signal: AbortSignal): TarStream {
  const program = findProgram('tar')
  if (!program)
    throw failed('Files can’t be copied: this machine has no tar', { hint: 'Install the package tar.' })
  const format = ['--format=posix', '--pax-option=delete=atime,delete=ctime', '--numeric-owner']
  const xattrs = ['--xattrs', '--xattrs-include=security.capability', '--xattrs-include=user.*']
  // A name of one's own stands in names and hard links, not in what symbolic links say.
  const renames = rename === undefined ? [] : ['--transform', `flags=rhS;s,^\\.,${escaped(rename)},`]
  const child = spawn(
    program,
    [
      ...[
        '-c',
        '-f',
        '-',
        '-P',
        '--sort=name',
        '--warning=no-file-changed',
        '--warning=no-file-removed',
        ...format,
      ],
      ...[...xattrs, ...renames, '-C', '/proc/self/fd/3', '--null', '--verbatim-files-from', '-T', '-'],
    ],
    { stdio: ['pipe', 'pipe', 'pipe', folder] },
  )
  let complaint = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(0, 1000)
  })
  child.stdin?.on('error', () => {}) // it ended early, and says why
  child.stdin?.end(Buffer.concat((entries ?? [Buffer.from('.')]).flatMap((name) => [name, Buffer.from([0])])))
  const stop = () => {
    child.kill('SIGKILL')
    child.stdout?.destroy()
  }
  signal.addEventListener('abort', stop, { once: true })
  if (signal.aborted) stop()
  // Not its 'close', which waits for a reader that may never come.
  const exited = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', resolve)
  })
  const ended = exited
    .then(
      () => {},
      () => {},
    )
    .finally(() => signal.removeEventListener('abort', stop))

  async function* pieces(): AsyncGenerator<Uint8Array> {
    if (child.stdout) yield* child.stdout as AsyncIterable<Buffer>
    const code = await exited
    // 1: something changed or went away meanwhile.
    if (code !== 0 && code !== 1)
      throw failed(`The files can’t be read: ${complaint.trim() || `tar ended with ${code}`}`)
  }
  return { tar: pieces(), ended }
}

/** For the right side of a sed expression that has commas around it. */
function escaped(name: string): string {
  return name === '/' ? '' : name.replace(/[\\&,]/g, '\\$&')
}
