import { duplexPair } from 'node:stream'
import { frameType } from '@kernel/contracts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeFrame, type Frame, FrameReader, FrameStream } from './frames.ts'

describe('frames', () => {
  it('come out the same however the stream is cut', () => {
    const frame = fc.record({ type: fc.nat(4), payload: fc.uint8Array({ maxLength: 40 }) })
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 8 }), fc.array(fc.nat(60)), (frames, cuts) => {
        const bytes = Buffer.concat(frames.map(({ type, payload }) => encodeFrame(type, payload)))
        const reader = new FrameReader()
        const found: Frame[] = []
        let at = 0
        for (const cut of [...cuts, bytes.length]) {
          found.push(...reader.push(bytes.subarray(at, at + cut)))
          at += cut
        }
        const plain = (list: Array<{ type: number; payload: Uint8Array }>) =>
          list.map(({ type, payload }) => [type, [...payload]])
        expect(plain(found)).toEqual(plain(frames))
      }),
    )
  })

  it('of an impossible length are refused before anything is kept for them', () => {
    const head = Buffer.from([1, 0xff, 0xff, 0xff, 0xff])
    expect(() => new FrameReader().push(head)).toThrow(expect.objectContaining({ kind: 'unavailable' }))
  })
})

describe('a remote process', () => {
  it('gives output in order, then its exit code', async () => {
    const [near, far] = duplexPair()
    far.write(encodeFrame(frameType.stdout, Buffer.from('one')))
    far.write(encodeFrame(frameType.stderr, Buffer.from('two')))
    far.write(encodeFrame(frameType.exit, Buffer.from('{"exitCode":7}')))
    const output: Array<[number, string]> = []
    const exit = await new FrameStream(near).run((stream, data) => {
      output.push([stream, data.toString()])
    })
    expect(exit).toEqual({ exitCode: 7 })
    expect(output).toEqual([
      [1, 'one'],
      [2, 'two'],
    ])
    expect(near.destroyed).toBe(true)
  })

  it('gets input, its end, and the size of the terminal', async () => {
    const [near, far] = duplexPair()
    const stream = new FrameStream(near)
    stream.input(Buffer.from('ls\n'))
    stream.resize(24, 80)
    stream.endInput()
    const [reader, frames] = [new FrameReader(), [] as Frame[]]
    for await (const data of far as AsyncIterable<Buffer>) {
      frames.push(...reader.push(data))
      if (frames.length === 3) break
    }
    expect(frames.map(({ type, payload }) => [type, payload.toString()])).toEqual([
      [frameType.stdin, 'ls\n'],
      [frameType.resize, '{"rows":24,"columns":80}'],
      [frameType.stdin, ''],
    ])
  })

  it('says so where the daemon goes away first', async () => {
    const [near, far] = duplexPair()
    far.end(encodeFrame(frameType.stdout, Buffer.from('partly')))
    await expect(new FrameStream(near).run(() => {})).rejects.toMatchObject({
      kind: 'unavailable',
      message: expect.stringMatching(/before the command ended/),
    })
  })
})
