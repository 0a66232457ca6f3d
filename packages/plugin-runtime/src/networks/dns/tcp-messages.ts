import type { Socket } from 'node:net'

/** DNS over TCP: two bytes of length before each message (RFC 1035, section 4.2.2). */
export function withLength(message: Buffer): Buffer {
  const length = Buffer.alloc(2)
  length.writeUInt16BE(message.length)
  return Buffer.concat([length, message])
}

/** Calls back with each message that is whole. A message holds 64 KB at most, so does what is kept. */
export function readMessages(socket: Socket, onMessage: (message: Buffer) => void): void {
  let kept: Buffer = Buffer.alloc(0)
  socket.on('data', (chunk: Buffer) => {
    kept = kept.length === 0 ? chunk : Buffer.concat([kept, chunk])
    while (kept.length >= 2 && kept.length >= 2 + kept.readUInt16BE(0)) {
      const end = 2 + kept.readUInt16BE(0)
      const message = kept.subarray(2, end)
      kept = kept.subarray(end)
      onMessage(message)
    }
  })
}
