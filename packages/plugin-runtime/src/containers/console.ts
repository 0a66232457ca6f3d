/**
 * The attached side of a container or exec: one connection to conmon, any number of readers.
 *
 * Readers may come before the process starts; what it writes goes to all. A reader that is alone slows the
 * process down (as a pipe would); one that would slow others is cut off. A process that has ended is never
 * held up, so that its exit is always seen.
 * @module
 */
import { failed, type ProcessStream } from '@kernel/contracts'
import { connectSeqpacket, processEnd, type SeqpacketSocket } from '@kernel/sys'
import { createOutputQueue, type OutputQueue } from './output-queue.ts'

/** Bytes that wait for a reader before the process is slowed down. */
const HIGH_WATER = 1 << 20
/** Bytes that wait for a reader before it is cut off for the sake of others. */
const CUT_OFF = 16 << 20

export interface AttachOptions {
  stdin?: boolean
  stdout?: boolean
  stderr?: boolean
}

export interface Console {
  attach(options: AttachOptions): ProcessStream
  /** Whether anybody waits for, or reads, output. */
  readonly wanted: boolean
  /** Connects to conmon's socket in `bundle`: now where somebody waits or input is to be held, else on demand. */
  open(bundle: string, pid: number): void
  /** The process is gone and its conmon too, or it never started: readers get their end. */
  end(): void
  /** Lets go of everything; the process lives on. */
  detachAll(): void
}

interface Reader {
  options: AttachOptions
  queue: OutputQueue
}

export function createConsole(config: { tty: boolean; stdin: boolean; stdinOnce: boolean }): Console {
  const readers = new Set<Reader>()
  let socket: SeqpacketSocket | undefined
  let place: { bundle: string; pid: number } | undefined
  let opened = Promise.withResolvers<void>()
  let held: AbortController | undefined
  let ended = false
  const closesInput = config.stdinOnce && !config.tty

  function connect(): void {
    if (socket || !place) return
    let made: SeqpacketSocket
    try {
      made = connectSeqpacket(`${place.bundle}/attach`)
    } catch {
      finish() // conmon has gone: there is nothing more to read
      return
    }
    socket = made
    made.on('data', (packet: Buffer) => {
      const stream = packet[0] === 3 ? 2 : 1
      const data = packet.subarray(1)
      for (const { options, queue } of readers)
        if (stream === 2 ? options.stderr : options.stdout) queue.push({ stream, data })
      balance()
    })
    made.on('error', () => {})
    made.on('close', () => {
      if (socket !== made) return
      socket = undefined
      finish()
    })
    opened.resolve()
  }

  function balance(): void {
    if (!socket || ended) return
    const full = [...readers].filter(({ queue }) => queue.waiting > HIGH_WATER)
    if (full.length === 0) {
      release()
      return
    }
    if (readers.size > 1) {
      for (const reader of full)
        if (reader.queue.waiting > CUT_OFF)
          cut(reader, failed('the reader was too slow and was cut off, since others read along'))
      release()
    } else hold()
  }

  function hold(): void {
    if (held || !socket || !place) return
    socket.pause()
    const controller = new AbortController()
    held = controller
    // conmon is about to wait for us and could not see its process end: once it has, read on without a bound,
    // since what is left is no more than a pipe holds.
    processEnd(place.pid, { signal: controller.signal }).then(
      () => {
        ended = true
        release()
      },
      () => {},
    )
  }

  function release(): void {
    held?.abort()
    held = undefined
    if (socket?.isPaused()) socket.resume()
  }

  function cut(reader: Reader, error?: Error): void {
    readers.delete(reader)
    reader.queue.end(error)
  }

  function leave(reader: Reader): void {
    if (!readers.delete(reader)) return
    reader.queue.end()
    if (reader.options.stdin && closesInput) socket?.end()
    if (readers.size === 0 && socket && !(config.stdin && closesInput)) {
      const idle = socket
      socket = undefined
      opened = Promise.withResolvers()
      held?.abort()
      held = undefined
      idle.destroy()
    } else balance()
  }

  function finish(): void {
    held?.abort()
    held = undefined
    place = undefined
    const gone = socket
    socket = undefined
    gone?.destroy()
    ended = false
    opened.resolve()
    opened = Promise.withResolvers()
    for (const reader of [...readers]) cut(reader)
  }

  return {
    attach: (options) => {
      const reader: Reader = {
        options,
        queue: createOutputQueue(balance, () => leave(reader)),
      }
      readers.add(reader)
      connect()
      balance()
      const input = async (act: (to: SeqpacketSocket) => Promise<void> | void) => {
        if (!options.stdin || !config.stdin) return
        if (!socket) await opened.promise
        if (socket && readers.has(reader)) await act(socket)
      }
      return {
        output: reader.queue,
        write: (data) =>
          input(
            (to) =>
              new Promise<void>((resolve) => {
                if (to.writableEnded || to.destroyed) return resolve()
                // A process that closed its input, or ended, is no failure of whoever types.
                to.write(data, () => resolve())
              }),
          ),
        closeInput: () =>
          input((to) => {
            if (closesInput) to.end()
          }),
        detach: () => leave(reader),
      }
    },
    get wanted() {
      return readers.size > 0
    },
    open: (bundle, pid) => {
      place = { bundle, pid }
      ended = false
      if (readers.size > 0 || (config.stdin && closesInput)) connect()
    },
    detachAll: finish,
    end: () => {
      // What conmon has sent is still to be read: the socket's own end comes after it.
      ended = true
      if (socket) release()
      else finish()
    },
  }
}
