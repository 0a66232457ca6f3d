/** A port of 127.0.0.1 that nobody listens on. @module */
import { createServer } from 'node:net'
import { unavailable } from '@kernel/contracts'

/** `taken` are ports promised to workloads that may not listen yet. @throws unavailable */
export async function freePort(taken: ReadonlySet<number>): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const port = await new Promise<number>((resolve, reject) => {
      const server = createServer()
      server.once('error', reject)
      server.listen(0, '127.0.0.1', () => {
        const address = server.address()
        server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
      })
    })
    if (!taken.has(port)) return port
  }
  throw unavailable('No free port was found on 127.0.0.1.')
}
