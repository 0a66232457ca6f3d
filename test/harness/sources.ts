/** Small apps to push. @module */
import { randomBytes } from 'node:crypto'
import type { Files } from './repository.ts'

/** Answers `body()` on PORT; finishes what it is answering when it is asked to stop. */
const server = (body: string) => `
import { createServer } from 'node:http'
const server = createServer((request, response) => ${body})
server.listen(process.env.PORT, () => console.log('listening on ' + process.env.PORT))
process.on('SIGTERM', () => server.close(() => process.exit(0)))
`

const manifest = (start = 'node server.js') =>
  JSON.stringify({ name: 'app', private: true, type: 'module', scripts: { start } })

/** A Node app that answers `text`, on every path. */
export const nodeApp = (text: string, more: Files = {}): Files => ({
  'package.json': manifest(),
  'server.js': server(`response.end(${JSON.stringify(text)})`),
  ...more,
})

/** A Node app with a server of its own making. */
export const nodeProgram = (program: string, more: Files = {}): Files => ({
  'package.json': manifest(),
  'server.js': program,
  ...more,
})

export const appJson = (content: object): Files => ({ 'app.json': JSON.stringify(content) })

/** A file that no compression makes small: what is left of it somewhere shows. */
export const ballast = (megabytes: number): Files => ({
  'ballast.txt': randomBytes(megabytes * 786_432).toString('base64'),
})

/** Answers each text on a WebSocket by `word` and the text: the server's half of RFC 6455, for short frames. */
export const webSocketApp = (word: string): Files =>
  nodeProgram(`
import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
createServer((_, response) => response.end('${word}')).on('upgrade', ({ headers }, socket) => {
  const key = headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
  const accept = createHash('sha1').update(key).digest('base64')
  const answer = ['HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade', 'Upgrade: websocket']
  socket.write([...answer, 'Sec-WebSocket-Accept: ' + accept, '', ''].join('\\r\\n'))
  socket.on('error', () => {})
  socket.on('data', (frame) => {
    if (frame[0] !== 0x81) return socket.end()
    const text = Buffer.from('${word} ' + Buffer.from(frame.subarray(6).map((byte, n) => byte ^ frame[2 + (n % 4)])))
    socket.write(Buffer.concat([Buffer.from([0x81, text.length]), text]))
  })
}).listen(process.env.PORT)
`)
