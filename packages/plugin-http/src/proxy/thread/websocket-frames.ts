/** Where the frames of a WebSocket begin and end, so that a close frame can be put between two. RFC 6455 5.2. @module */

const MAX_HEADER = 14

export class WebSocketFrames {
  /** Bytes of the payload that are still to come. */
  #left = 0
  readonly #header = Buffer.alloc(MAX_HEADER)
  #have = 0
  #closed = false

  /** Whether the last byte that was seen ended a frame. */
  get between(): boolean {
    return this.#left === 0 && this.#have === 0
  }

  /** Whether a close frame has passed: nothing may follow. */
  get closed(): boolean {
    return this.#closed
  }

  /**
   * Takes note of bytes that pass.
   * @returns where the first frame ends that ends in them, counted from their begin; -1 where none does
   */
  pass(buf: Buffer): number {
    let first = -1
    for (let at = 0; at < buf.length; ) {
      if (this.#left > 0) {
        const step = Math.min(this.#left, buf.length - at)
        this.#left -= step
        at += step
      } else {
        this.#header[this.#have++] = buf[at++]!
        const size = headerSize(this.#header, this.#have)
        if (this.#have < size) continue
        this.#left = payloadSize(this.#header)
        if ((this.#header[0]! & 0x0f) === 8) this.#closed = true
        this.#have = 0
      }
      if (this.between && first < 0) first = at
    }
    return first
  }
}

/** Of a header of which `have` bytes are here; at least two are needed to tell. */
function headerSize(header: Buffer, have: number): number {
  if (have < 2) return 2
  const code = header[1]! & 0x7f
  return 2 + (code === 126 ? 2 : code === 127 ? 8 : 0) + (header[1]! & 0x80 ? 4 : 0)
}

function payloadSize(header: Buffer): number {
  const code = header[1]! & 0x7f
  if (code === 126) return header.readUInt16BE(2)
  return code === 127 ? Number(header.readBigUInt64BE(2)) : code
}

/** A close frame. @param masked as a client's frames must be */
export function closeFrame(code: number, reason: string, masked: boolean): Buffer {
  const payload = Buffer.concat([Buffer.from([code >> 8, code & 0xff]), Buffer.from(reason)])
  const head = Buffer.from([0x88, (masked ? 0x80 : 0) | payload.length])
  // A mask of zeros leaves the payload as it is: it guards scripts in browsers, and there is none here.
  return masked ? Buffer.concat([head, Buffer.alloc(4), payload]) : Buffer.concat([head, payload])
}
