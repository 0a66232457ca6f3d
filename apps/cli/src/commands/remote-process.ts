/** A process at the daemon, with this terminal's input, output and size. @module */

import { Socket } from 'node:net'
import { createInterface } from 'node:readline'
import type { ReadStream, WriteStream } from 'node:tty'
import type { FrameStream } from '../client/frames.ts'
import { type Invocation, text } from '../command.ts'
import { rawTerminal } from './raw-terminal.ts'

export interface Terminal {
  rows: number
  columns: number
  /** Calls back at each change of size; answers how to stop. */
  onResize(handler: (rows: number, columns: number) => void): () => void
}

/**
 * The terminal of this command: its own, or the SSH client's, which the daemon tells by KERNEL_SSH_TTY
 * (`rows,columns`) with later sizes as JSON lines on descriptor 3.
 */
export function terminal(stdin: NodeJS.ReadStream, stdout: NodeJS.WriteStream): Terminal | undefined {
  const remote = /^(\d+),(\d+)$/.exec(process.env.KERNEL_SSH_TTY ?? '')
  if (remote)
    return {
      rows: Number(remote[1]),
      columns: Number(remote[2]),
      onResize(handler) {
        // A socket, which can be let go of: a file's read that waits would keep this process from its end.
        const sizes = new Socket({ fd: 3, readable: true, writable: false }).on('error', () => {})
        const lines = createInterface({ input: sizes })
        lines.on('line', (line) => {
          const { rows, columns } = JSON.parse(line) as { rows: number; columns: number }
          handler(rows, columns)
        })
        return () => {
          lines.close()
          sizes.destroy()
        }
      },
    }
  if (!stdin.isTTY || !stdout.isTTY) return undefined
  const out: WriteStream = stdout
  return {
    rows: out.rows,
    columns: out.columns,
    onResize(handler) {
      const onChange = () => handler(out.rows, out.columns)
      out.on('resize', onChange)
      return () => out.off('resize', onChange)
    },
  }
}

/** Runs `command` by the route; answers its exit code. */
export async function runRemote(
  call: Invocation,
  route: 'run' | 'enter',
  query: Record<string, string | undefined>,
  command: string[],
): Promise<number> {
  const tty = call.options.tty === false ? undefined : terminal(process.stdin, process.stdout)
  const stream = await call.client.stream(route, {
    params: { app: text(call, 'app') },
    query: {
      ...query,
      command: JSON.stringify(command),
      stdin: true,
      tty: tty !== undefined,
      rows: tty?.rows,
      columns: tty?.columns,
    },
  })
  return attach(call, stream, tty)
}

/** Connects input, output and terminal of this command with the process at the other end; answers its exit code. */
export async function attach(
  call: Invocation,
  stream: FrameStream,
  tty: Terminal | undefined,
): Promise<number> {
  const { stdin, stdout, stderr } = process
  const stopResize = tty?.onResize((rows, columns) => stream.resize(rows, columns))
  const restore = tty !== undefined && stdin.isTTY ? rawTerminal(stdin as ReadStream) : undefined
  const onInterrupt = () => stream.close()
  call.signal.addEventListener('abort', onInterrupt)
  void pumpInput(stdin, stream)
  try {
    const { exitCode, error } = await stream.run(async (which, data) => {
      const target = which === 1 ? stdout : stderr
      if (!target.write(data)) await new Promise((resolve) => target.once('drain', resolve))
    })
    if (error) call.out.error(error)
    return exitCode
  } finally {
    call.signal.removeEventListener('abort', onInterrupt)
    stopResize?.()
    restore?.()
    stdin.destroy()
  }
}

async function pumpInput(stdin: NodeJS.ReadStream, stream: FrameStream): Promise<void> {
  try {
    for await (const data of stdin as AsyncIterable<Buffer>) if (!stream.input(data)) await stream.drained()
    stream.endInput()
  } catch {
    // The input went away (a closed terminal); the process goes on without.
  }
}
