/** Requests as fast as they are answered: over kept connections, of which each is replaced after a while. @module */
import { connect, type Socket } from 'node:net'

export interface ManyRequests {
  url: string
  count: number
  /** At a time. */
  connections: number
  /** Requests of a connection before a new one takes its place; a quarter of all have one request only. */
  renewAfter: number
}

/** @throws at the first answer that is not 200 */
export function sendMany({ url, count, connections, renewAfter }: ManyRequests): Promise<void> {
  const { host, port } = new URL(url)
  const text = Buffer.from(`GET / HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: soak\r\nAccept: */*\r\n\r\n`)
  return new Promise((resolve, reject) => {
    let left = count
    let open = 0
    let failed = false
    const fail = (error: Error) => {
      failed = true
      reject(error)
    }
    const begin = (n: number) => {
      open++
      let mine = n % 4 === 0 ? 1 : renewAfter
      let seen = ''
      const socket: Socket = connect({ port: Number(port), host: '127.0.0.1', noDelay: true })
      const next = () => {
        if (failed || left <= 0 || mine <= 0) {
          socket.destroy()
          open--
          if (!failed && left > 0) begin(n + 1)
          else if (open === 0 && !failed) resolve()
          return
        }
        left--
        mine--
        socket.write(text)
      }
      socket.on('connect', next)
      socket.on('error', fail)
      socket.on('end', () => fail(new Error('a connection was closed')))
      socket.on('data', (chunk: Buffer) => {
        seen += chunk.toString('latin1')
        const end = seen.indexOf('\r\n\r\n')
        if (end < 0) return
        const length = Number(/content-length: (\d+)/i.exec(seen)?.[1])
        if (seen.length < end + 4 + length) return
        if (!seen.startsWith('HTTP/1.1 200')) return fail(new Error(seen.slice(0, 200)))
        seen = ''
        next()
      })
    }
    for (let n = 0; n < connections; n++) begin(n)
  })
}
