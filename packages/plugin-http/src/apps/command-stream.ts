import type { Duplex } from 'node:stream'
import { type ContainerExit, frameType, type HttpEnvironment, type RunningCommand } from '@kernel/contracts'
import { z } from 'zod'

const headerLength = 5
/** A frame of input is a keystroke or a piece of a file; whoever announces more is no client of ours. */
const longestFrame = 1024 * 1024

export interface Frame {
  type: number
  payload: Buffer
}

/** One frame: type, length (big endian), payload; see `frameType` of the contracts. */
export function encodeFrame(type: number, payload: Uint8Array): Buffer {
  const out = Buffer.allocUnsafe(headerLength + payload.byteLength)
  out[0] = type
  out.writeUInt32BE(payload.byteLength, 1)
  out.set(payload, headerLength)
  return out
}

/** Cuts what arrives into frames. @throws RangeError where a frame is longer than 1 MiB */
export function frameReader(): (chunk: Uint8Array) => Frame[] {
  let rest: Buffer = Buffer.alloc(0)
  return (chunk) => {
    rest = rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([rest, chunk])
    const frames: Frame[] = []
    while (rest.length >= headerLength) {
      const length = rest.readUInt32BE(1)
      if (length > longestFrame) throw new RangeError(`A frame of ${length} bytes`)
      if (rest.length < headerLength + length) break
      frames.push({ type: rest[0]!, payload: rest.subarray(headerLength, headerLength + length) })
      rest = rest.subarray(headerLength + length)
    }
    return frames
  }
}

const resize = z.object({ rows: z.int().min(1).max(65535), columns: z.int().min(1).max(65535) })

/** How long a caller may take to leave once its command has ended. */
const leaveMs = 5000

/** Takes the connection over and joins it with the command; the last frame tells how it ended. */
export function joinCommand(command: RunningCommand, env: HttpEnvironment): Response {
  const connection = takeOver(command, env)
  let ended = false
  // A caller who leaves takes the command along; a daemon that stops lets it live.
  connection.once('close', () => {
    if (!ended) void command.kill().catch(() => {})
    command.stream.detach()
  })
  const stop = () => {
    if (connection.destroyed) return
    ended = true
    connection.end(() => connection.destroy())
  }
  env.signal.addEventListener('abort', stop, { once: true })
  void forwardInput(connection, command)
  void forwardOutput(connection, command)
    .then((exit) => {
      ended = true
      if (connection.destroyed) return
      connection.end(encodeFrame(frameType.exit, Buffer.from(JSON.stringify(exit))))
      // The caller leaves when it has read that. Were it cut off while it still sends input, it would see a
      // broken connection and no exit code.
      const late = setTimeout(() => connection.destroy(), leaveMs)
      connection.once('close', () => clearTimeout(late))
    })
    .finally(() => env.signal.removeEventListener('abort', stop))
  return env.hijacked
}

function takeOver(command: RunningCommand, env: HttpEnvironment): Duplex {
  try {
    return env.hijack('application/vnd.kernel.frames')
  } catch (error) {
    void command.kill().catch(() => {})
    throw error
  }
}

async function forwardOutput(connection: Duplex, { stream, exit }: RunningCommand): Promise<ContainerExit> {
  try {
    for await (const { stream: which, data } of stream.output) {
      if (connection.destroyed) break
      const type = which === 1 ? frameType.stdout : frameType.stderr
      if (!connection.write(encodeFrame(type, data))) await drained(connection)
    }
    return await exit
  } catch (error) {
    return { exitCode: 255, error: (error as Error).message }
  }
}

async function forwardInput(connection: Duplex, command: RunningCommand): Promise<void> {
  const read = frameReader()
  try {
    for await (const chunk of connection.iterator({ destroyOnReturn: false }))
      for (const { type, payload } of read(chunk as Buffer)) {
        if (type === frameType.stdin && payload.length > 0) await command.stream.write(payload)
        else if (type === frameType.stdin) await command.stream.closeInput()
        else if (type === frameType.resize) {
          const { rows, columns } = resize.parse(JSON.parse(payload.toString('utf8')))
          await command.resize(rows, columns)
        }
      }
    // The end of input is a frame: who closes the connection has left.
    connection.destroy()
  } catch (error) {
    // Input that a process no longer takes is of no consequence; what breaks the rules of frames ends here.
    if (error instanceof RangeError || error instanceof z.ZodError || error instanceof SyntaxError)
      connection.destroy()
    else connection.resume()
  }
}

function drained(connection: Duplex): Promise<void> {
  return new Promise((resolve) => {
    const go = () => {
      connection.off('drain', go).off('close', go)
      resolve()
    }
    connection.on('drain', go).on('close', go)
  })
}
