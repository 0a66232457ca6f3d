import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { closeFrame, WebSocketFrames } from './websocket-frames.ts'

function frame(size: number, masked: boolean, opcode = 2): Buffer {
  const mask = masked ? 0x80 : 0
  const head =
    size < 126
      ? [0x80 | opcode, mask | size]
      : size < 65_536
        ? [0x80 | opcode, mask | 126, size >> 8, size & 0xff]
        : [
            0x80 | opcode,
            mask | 127,
            0,
            0,
            0,
            0,
            (size >>> 24) & 0xff,
            (size >>> 16) & 0xff,
            (size >>> 8) & 0xff,
            size & 0xff,
          ]
  return Buffer.concat([Buffer.from(head), Buffer.alloc((masked ? 4 : 0) + size, 1)])
}

describe('WebSocketFrames', () => {
  it('knows where frames end, however their bytes arrive', () => {
    const sizes = fc.array(fc.oneof(fc.nat(130), fc.constant(70_000), fc.constant(300)), {
      minLength: 1,
      maxLength: 6,
    })
    fc.assert(
      fc.property(sizes, fc.boolean(), fc.array(fc.nat(5000)), (list, masked, steps) => {
        const whole = Buffer.concat(list.map((size) => frame(size, masked)))
        const ends = new Set<number>()
        let sum = 0
        for (const size of list) {
          sum += frame(size, masked).length
          ends.add(sum)
        }
        const frames = new WebSocketFrames()
        let at = 0
        for (const step of [...steps, whole.length]) {
          const piece = whole.subarray(at, at + step)
          if (piece.length === 0) continue
          const first = frames.pass(piece)
          const expected = [...ends].filter((end) => end > at && end <= at + piece.length)[0]
          expect(first).toBe(expected === undefined ? -1 : expected - at)
          at += piece.length
          expect(frames.between).toBe(ends.has(at))
        }
        expect(frames.closed).toBe(false)
      }),
      { numRuns: 60 },
    )
  })

  it('sees that a side has closed', () => {
    const frames = new WebSocketFrames()
    frames.pass(frame(2, true, 8))
    expect(frames.closed).toBe(true)
    const own = new WebSocketFrames()
    for (const masked of [true, false])
      expect(own.pass(closeFrame(1012, 'restarting', masked))).toBeGreaterThan(0)
    expect([own.between, own.closed]).toEqual([true, true])
  })
})
