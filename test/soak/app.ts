/** The app under soak: a page, an echo, a slow download and WebSockets, in plain Node. @module */
import type { Files } from '../harness/repository.ts'
import { nodeProgram } from '../harness/sources.ts'

/** Bytes a second of a slow download, in ten pieces. */
export const DOWNLOAD_RATE = 100_000
/** What stands at a place of a download: a prime number's remainder, so that a lost piece shows. */
export const byteAt = (position: number): number => position % 251

/**
 * `GET /` answers `page VERSION`, `POST /` its own body, `GET /slow?seconds=N` N * 100 KB in N seconds; a WebSocket
 * gets back what it sends. At SIGTERM it takes nothing new and ends with the last that is under way.
 */
export const soakApp = (version: string): Files =>
  nodeProgram(`
import { createHash } from 'node:crypto'
import { createServer } from 'node:http'

const PIECE = ${DOWNLOAD_RATE / 10}
const server = createServer((request, response) => {
  const url = new URL(request.url, 'http://app')
  if (url.pathname === '/slow') return download(Number(url.searchParams.get('seconds')), response)
  if (request.method !== 'POST') return response.end('page ${version}')
  response.writeHead(200, { 'content-length': request.headers['content-length'] })
  request.pipe(response)
})

function download(seconds, response) {
  const size = seconds * PIECE * 10
  response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': size })
  let at = 0
  const timer = setInterval(() => {
    const piece = Buffer.alloc(Math.min(PIECE, size - at))
    for (let i = 0; i < piece.length; i++) piece[i] = (at + i) % 251
    at += piece.length
    if (at < size) return response.write(piece)
    clearInterval(timer)
    response.end(piece)
  }, 100)
  response.on('close', () => clearInterval(timer))
}

const frame = (opcode, payload) => {
  const head = payload.length < 126 ? [payload.length] : [126, payload.length >> 8, payload.length & 255]
  return Buffer.concat([Buffer.from([0x80 | opcode, ...head]), payload])
}

const sockets = new Set()
server.on('upgrade', ({ headers }, socket, head) => {
  const key = headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
  const accept = createHash('sha1').update(key).digest('base64')
  const answer = ['HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade', 'Upgrade: websocket']
  socket.write([...answer, 'Sec-WebSocket-Accept: ' + accept, '', ''].join('\\r\\n'))
  sockets.add(socket)
  socket.on('close', () => sockets.delete(socket))
  socket.on('error', () => {})
  let pending = head
  const read = () => {
    while (pending.length >= 2) {
      const short = pending[1] & 127
      const start = (short === 126 ? 4 : 2) + 4
      if (pending.length < start) return
      const size = short === 126 ? pending.readUInt16BE(2) : short
      if (pending.length < start + size) return
      const mask = pending.subarray(start - 4, start)
      const payload = Buffer.from(pending.subarray(start, start + size).map((byte, n) => byte ^ mask[n % 4]))
      const opcode = pending[0] & 15
      pending = pending.subarray(start + size)
      if (opcode === 8) return socket.end(frame(8, payload))
      if (opcode === 9) socket.write(frame(10, payload))
      else if (opcode < 3) socket.write(frame(opcode, payload))
    }
  }
  socket.on('data', (chunk) => {
    pending = Buffer.concat([pending, chunk])
    read()
  })
  read()
})

server.listen(process.env.PORT)
process.on('SIGTERM', () => {
  for (const socket of sockets) socket.end(frame(8, Buffer.from([3, 233])))
  server.close(() => process.exit(0))
})
`)
