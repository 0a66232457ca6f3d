/** Header flags of netlink(7). */
export const NLM_F = {
  REQUEST: 0x1,
  ACK: 0x4,
  DUMP_INTR: 0x10,
  DUMP: 0x300,
  REPLACE: 0x100,
  EXCL: 0x200,
  CREATE: 0x400,
} as const

const NLA_F_NESTED = 0x8000
const HEADER = 16
const align = (length: number) => (length + 3) & ~3

/** Writes one netlink request: header, a family's fixed part, attributes. */
export class NetlinkRequest {
  private buffer = Buffer.alloc(1024)
  private length = HEADER

  constructor(type: number, flags: number) {
    this.buffer.writeUInt16LE(type, 4)
    this.buffer.writeUInt16LE(flags | NLM_F.REQUEST, 6)
  }

  /** Fixed fields that precede the attributes. */
  bytes(...values: number[]): this {
    this.reserve(values.length)
    for (const value of values) this.buffer[this.length++] = value
    return this
  }

  int32(value: number): this {
    this.reserve(4)
    this.buffer.writeInt32LE(value, this.length)
    this.length += 4
    return this
  }

  attribute(type: number, value: Uint8Array): this {
    this.reserve(4 + align(value.length))
    this.buffer.writeUInt16LE(4 + value.length, this.length)
    this.buffer.writeUInt16LE(type, this.length + 2)
    this.buffer.set(value, this.length + 4)
    this.length += 4 + align(value.length)
    return this
  }

  string(type: number, value: string): this {
    return this.attribute(type, Buffer.from(`${value}\0`))
  }

  u8(type: number, value: number): this {
    return this.attribute(type, Uint8Array.of(value))
  }

  u32(type: number, value: number): this {
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32LE(value)
    return this.attribute(type, bytes)
  }

  nested(type: number, fill: (request: this) => void): this {
    this.reserve(4)
    const start = this.length
    this.length += 4
    fill(this)
    this.buffer.writeUInt16LE(this.length - start, start)
    this.buffer.writeUInt16LE(type | NLA_F_NESTED, start + 2)
    return this
  }

  /** The finished message: a view of this request's own bytes, good until it is finished again. */
  finish(sequence: number): Buffer {
    this.buffer.writeUInt32LE(this.length, 0)
    this.buffer.writeUInt32LE(sequence, 8)
    return this.buffer.subarray(0, this.length)
  }

  private reserve(bytes: number): void {
    if (this.length + bytes <= this.buffer.length) return
    this.buffer = Buffer.concat([this.buffer, Buffer.alloc(this.buffer.length + bytes)])
  }
}

/** A message as the kernel sent it; `body` starts after the header. */
export interface NetlinkMessage {
  type: number
  flags: number
  sequence: number
  body: Buffer
}

/** The messages of one datagram. */
export function* parseMessages(datagram: Buffer): Generator<NetlinkMessage> {
  for (let at = 0; at + HEADER <= datagram.length; ) {
    const length = datagram.readUInt32LE(at)
    if (length < HEADER || at + length > datagram.length) return
    yield {
      type: datagram.readUInt16LE(at + 4),
      flags: datagram.readUInt16LE(at + 6),
      sequence: datagram.readUInt32LE(at + 8),
      body: datagram.subarray(at + HEADER, at + length),
    }
    at += align(length)
  }
}

/** The attributes from `offset` on, by type (the nested flag removed). */
export function parseAttributes(body: Buffer, offset: number): Map<number, Buffer> {
  const found = new Map<number, Buffer>()
  for (let at = offset; at + 4 <= body.length; ) {
    const length = body.readUInt16LE(at)
    if (length < 4 || at + length > body.length) break
    found.set(body.readUInt16LE(at + 2) & 0x3fff, body.subarray(at + 4, at + length))
    at += align(length)
  }
  return found
}

/** A NUL-terminated attribute as text. */
export function text(bytes: Buffer | undefined): string | undefined {
  if (!bytes) return undefined
  const end = bytes.indexOf(0)
  return bytes.toString('utf8', 0, end < 0 ? bytes.length : end)
}
