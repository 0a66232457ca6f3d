/** A small daemon for tests: HTTP on a unix socket in a folder of its own. @module */
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import type { Address } from './client/address.ts'

export interface FakeDaemon {
  address: Address
  env: { KERNEL_HOST: string }
  /** `METHOD url body`, as they came. */
  requests: string[]
  close(): Promise<void>
}

export interface Answers {
  answer?(request: IncomingMessage, response: ServerResponse, body: string): void
  upgrade?(request: IncomingMessage, socket: Duplex): void
}

export async function fakeDaemon({ answer, upgrade }: Answers): Promise<FakeDaemon> {
  const dir = mkdtempSync(join(tmpdir(), 'kernel-cli-'))
  const path = join(dir, 'kernel.sock')
  const requests: string[] = []
  const sockets = new Set<Duplex>()
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const piece of request.setEncoding('utf8')) body += piece
    requests.push([request.method, request.url, body].filter(Boolean).join(' '))
    answer?.(request, response, body)
  })
  server.on('connection', (socket) => sockets.add(socket))
  if (upgrade)
    server.on('upgrade', (request, socket) => {
      requests.push([request.method, request.url].join(' '))
      upgrade(request, socket)
    })
  await new Promise<void>((resolve) => server.listen(path, resolve))
  return {
    address: { kind: 'unix', path },
    env: { KERNEL_HOST: `unix://${path}` },
    requests,
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

/** Keeps what is written. */
export function sink(): NodeJS.WritableStream & { text(): string } {
  let text = ''
  return {
    write(piece: string | Uint8Array) {
      text += typeof piece === 'string' ? piece : Buffer.from(piece).toString('utf8')
      return true
    },
    text: () => text,
  } as unknown as NodeJS.WritableStream & { text(): string }
}
