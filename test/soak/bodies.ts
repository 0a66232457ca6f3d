/** Bodies that are larger than any memory should be. @module */
import { once } from 'node:events'
import { request } from 'node:http'
import type { Files } from '../harness/repository.ts'
import { nodeProgram } from '../harness/sources.ts'

const PIECE = Buffer.alloc(1 << 18, 'kernel')

/** `PUT` answers the number of bytes that came, `GET /?size=N` sends N bytes, as fast as they are taken. */
export const bodyApp = (): Files =>
  nodeProgram(`
import { createServer } from 'node:http'
const piece = Buffer.alloc(1 << 18, 'kernel')
createServer((request, response) => {
  if (request.method === 'PUT') {
    let count = 0
    request.on('data', (chunk) => (count += chunk.length))
    request.on('end', () => response.end(String(count)))
    return
  }
  let left = Number(new URL(request.url, 'http://app').searchParams.get('size') ?? 2)
  response.writeHead(200, { 'content-length': left })
  const send = () => {
    while (left > 0) {
      const size = Math.min(left, piece.length)
      left -= size
      if (!response.write(piece.subarray(0, size))) return response.once('drain', send)
    }
    response.end()
  }
  send()
}).listen(process.env.PORT)
`)

/** Sends `size` bytes, in chunks without a length where `chunked`. @throws where not all came */
export async function upload(url: string, size: number, chunked: boolean): Promise<void> {
  const { host, port } = new URL(url)
  const headers = { host, ...(!chunked && { 'content-length': size }) }
  const req = request({ host: '127.0.0.1', port, method: 'PUT', path: '/', headers, agent: false })
  const answer = new Promise<string>((resolve, reject) => {
    req.on('error', reject)
    req.on('response', (res) => {
      let body = ''
      res.setEncoding('utf8').on('data', (text: string) => {
        body += text
      })
      res.on('error', reject).on('end', () => resolve(body))
    })
  })
  for (let left = size; left > 0; left -= PIECE.length)
    if (!req.write(PIECE.subarray(0, Math.min(left, PIECE.length)))) await once(req, 'drain')
  req.end()
  const came = await answer
  if (came !== String(size)) throw new Error(`of ${size} bytes the app got ${came}`)
}

/** Reads `size` bytes. @throws where not all came */
export function download(url: string, size: number): Promise<void> {
  const { host, port } = new URL(url)
  return new Promise((resolve, reject) => {
    const req = request(
      { host: '127.0.0.1', port, path: `/?size=${size}`, headers: { host }, agent: false },
      (res) => {
        let count = 0
        res.on('data', (chunk: Buffer) => {
          count += chunk.length
        })
        res.on('error', reject)
        res.on('end', () =>
          count === size ? resolve() : reject(new Error(`${count} of ${size} bytes came`)),
        )
      },
    )
    req.on('error', reject).end()
  })
}
