/** A port of 127.0.0.1 that nobody listens on. @module */
import { createServer } from 'node:net'
import { unavailable } from '@kernel/contracts'

/** A port that is open for the moment: 0 takes any; undefined where somebody listens on it. */
function tryPort(port: number): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error),
    )
    server.listen(port, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}

export const isFree = async (port: number): Promise<boolean> => (await tryPort(port)) !== undefined

/** `taken` are ports promised to workloads that may not listen yet. @throws unavailable */
export async function freePort(taken: ReadonlySet<number>): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const port = await tryPort(0)
    if (port !== undefined && !taken.has(port)) return port
  }
  throw unavailable('No free port was found on 127.0.0.1.')
}
