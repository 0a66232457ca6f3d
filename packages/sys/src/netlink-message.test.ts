import { describe, expect, it } from 'vitest'
import { NetlinkRequest, parseAttributes, parseMessages, text } from './netlink-message.ts'

describe('netlink messages', () => {
  it('are read as they were written, however large', () => {
    const request = new NetlinkRequest(16, 4).bytes(1, 2, 3, 4).int32(-5)
    request.string(3, 'eth0').u8(4, 7).u32(5, 4_000_000_000)
    request.nested(18, (info) =>
      info.string(1, 'veth').nested(2, (data) => data.attribute(9, Buffer.alloc(5000, 6))),
    )
    const messages = [...parseMessages(Buffer.concat([Buffer.from(request.finish(1)), request.finish(2)]))]
    expect(messages.map(({ type, flags, sequence }) => [type, flags, sequence])).toEqual([
      [16, 5, 1],
      [16, 5, 2],
    ])
    const body = messages[1]?.body as Buffer
    expect([...body.subarray(0, 4), body.readInt32LE(4)]).toEqual([1, 2, 3, 4, -5])
    const attributes = parseAttributes(body, 8)
    expect(text(attributes.get(3))).toBe('eth0')
    expect(attributes.get(4)?.[0]).toBe(7)
    expect(attributes.get(5)?.readUInt32LE()).toBe(4_000_000_000)
    const info = parseAttributes(attributes.get(18) as Buffer, 0)
    expect(text(info.get(1))).toBe('veth')
    expect(parseAttributes(info.get(2) as Buffer, 0).get(9)).toEqual(Buffer.alloc(5000, 6))
  })

  it('that are cut off or nonsense end the reading', () => {
    const whole = new NetlinkRequest(16, 0).string(3, 'eth0').finish(1)
    for (let length = 0; length < whole.length; length++) {
      expect([...parseMessages(whole.subarray(0, length))]).toEqual([])
      expect(parseAttributes(whole.subarray(0, length), 16).size).toBe(length >= 25 ? 1 : 0)
    }
    expect([...parseMessages(Buffer.alloc(64))]).toEqual([])
    expect(parseAttributes(Buffer.alloc(64), 0).size).toBe(0)
  })
})
