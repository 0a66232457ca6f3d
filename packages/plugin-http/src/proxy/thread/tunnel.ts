/** Two sockets as one connection, after both sides have agreed to another protocol. @module */
import type { Duplex } from 'node:stream'

/**
 * Passes bytes both ways, each with its own back-pressure, until both sides have ended. The end of one direction is
 * passed on and leaves the other open; a failure of either side ends both.
 */
export function openTunnel(visitor: Duplex, target: Duplex, done: () => void): void {
  let open = 2
  const close = () => {
    visitor.destroy()
    target.destroy()
  }
  for (const socket of [visitor, target]) {
    socket.on('error', close)
    socket.on('close', () => {
      open--
      // Whoever closes without having ended was cut off, and the other side must hear of it.
      if (!socket.readableEnded || !socket.writableFinished) close()
      if (open === 0) done()
    })
  }
  visitor.pipe(target)
  target.pipe(visitor)
}
