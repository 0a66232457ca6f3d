import net from 'node:net'

/** For tests: a connection that is written to and read from byte by byte. */
export interface RawConnection {
  socket: net.Socket
  write(text: string | Uint8Array): void
  /** Resolves with all bytes so far once they contain `text`. */
  until(text: string): Promise<string>
  /** All bytes, once the other side has ended. */
  end(): Promise<Buffer>
}

export async function connectRaw(where: string | { port: number; host: string }): Promise<RawConnection> {
  const socket = net.connect(
    typeof where === 'string' ? { path: where, allowHalfOpen: true } : { ...where, allowHalfOpen: true },
  )
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('error', reject)
  })
  let bytes = Buffer.alloc(0)
  let over = false
  const waiters = new Set<() => void>()
  const wake = () => {
    for (const waiter of [...waiters]) waiter()
  }
  socket.on('data', (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk])
    wake()
  })
  const finish = () => {
    over = true
    wake()
  }
  socket.on('end', finish).on('close', finish).on('error', finish)

  function when(condition: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const check = () => {
        if (condition()) resolve()
        else if (over) reject(new Error(`The connection ended after: ${bytes.toString('latin1')}`))
        else return
        waiters.delete(check)
      }
      waiters.add(check)
      check()
    })
  }

  return {
    socket,
    write: (text) => void socket.write(text),
    async until(text) {
      await when(() => bytes.includes(text))
      return bytes.toString('latin1')
    },
    async end() {
      await when(() => over)
      return bytes
    },
  }
}
