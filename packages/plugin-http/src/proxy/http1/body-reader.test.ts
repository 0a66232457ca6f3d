import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BodyReader } from './body-reader.ts'
import { CHUNKED, NO_BODY, UNTIL_CLOSE } from './framing.ts'

/** Reads `pieces` as they arrive; what is left over at the end of the body stays. */
function readAll(length: number, pieces: Buffer[]) {
  const body = new BodyReader()
  body.begin(length)
  let payload = ''
  let rest = ''
  for (const piece of pieces) {
    let at = 0
    while (!body.done && !body.failed && at < piece.length) {
      at = body.next(piece, at)
      payload += piece.toString('latin1', body.pieceStart, body.pieceEnd)
    }
    if (body.failed) return 'failed'
    rest += piece.toString('latin1', at)
  }
  return { payload, rest, done: body.done, trailers: body.trailers }
}
const one = (length: number, text: string) => readAll(length, [Buffer.from(text, 'latin1')])

describe('a body', () => {
  it('of a length ends there', () => {
    expect(one(3, 'abcdef')).toEqual({ payload: 'abc', rest: 'def', done: true, trailers: '' })
    expect(one(9, 'abc')).toMatchObject({ payload: 'abc', done: false })
    expect(one(NO_BODY, 'abc')).toMatchObject({ payload: '', rest: 'abc', done: true })
    expect(one(UNTIL_CLOSE, 'abc')).toMatchObject({ payload: 'abc', done: false })
  })

  it('in chunks comes out of them, without what is for the neighbour', () => {
    expect(one(CHUNKED, '3\r\nabc\r\nA;sign="x"\r\n0123456789\r\n000\r\n\r\nnext')).toEqual({
      payload: 'abc0123456789',
      rest: 'next',
      done: true,
      trailers: '',
    })
  })

  it('may end with trailers, but not with what frames or decides', () => {
    const text =
      '0\r\nX-Sum: 1\r\nSet-Cookie: a=1\r\nHost: evil\r\nX-Forwarded-For: 6\r\nx_real_ip: 6\r\nY:2\r\n\r\n'
    expect(one(CHUNKED, text)).toMatchObject({ done: true, trailers: 'X-Sum: 1\r\nY:2\r\n' })
  })

  it('takes extensions of every form, and passes none on', () => {
    const text = '3;a;b=c;d="e;\\"f"\r\nabc\r\n0;last\r\n\r\n'
    expect(one(CHUNKED, text)).toMatchObject({ done: true, payload: 'abc' })
  })

  it('counts its trailers over all pieces', () => {
    const lines = Array.from({ length: 3_000 }, () => Buffer.from('X: 1\r\n'))
    expect(readAll(CHUNKED, [Buffer.from('0\r\n'), ...lines, Buffer.from('\r\n')])).toBe('failed')
    const few = readAll(CHUNKED, [Buffer.from('0\r\nX'), Buffer.from(': 1\r\nY: 2'), Buffer.from('\r\n\r\n')])
    expect(few).toMatchObject({ done: true, trailers: 'X: 1\r\nY: 2\r\n' })
  })

  it.each([
    'zz\r\n',
    '\r\n',
    ' 3\r\nabc',
    '3 \r\nabc',
    '-3\r\nabc',
    '0x3\r\nabc',
    '3\nabc',
    '3\rabc',
    '3\r\nabcd\r\n',
    '3\r\nabc\n0\r\n\r\n',
    '3;a\nb\r\nabc',
    '3;\r\nabc',
    '3;a=\r\nabc',
    '3;a="b\r\n"\r\nabc',
    '3;a="b"c\r\nabc',
    '3; a\r\nabc',
    '3;\x80\r\nabc',
    `${'1'.repeat(14)}\r\n`,
    `1;${'x'.repeat(5000)}`,
    '0\r\nA b: c\r\n\r\n',
    '0\r\nContent-Length: 5\r\n\r\n',
    '0\r\nTransfer-Encoding: chunked\r\n\r\n',
    '0\r\n folded: c\r\n\r\n',
    '0\r\nA: b\n\r\n',
    `0\r\nA: ${'x'.repeat(17_000)}`,
  ])('%j is refused', (text) => expect(one(CHUNKED, text)).toBe('failed'))

  it('is the same however its bytes arrive', () => {
    const chunk = fc.uint8Array({ minLength: 1, maxLength: 40 })
    fc.assert(
      fc.property(fc.array(chunk), fc.array(fc.nat(60)), fc.boolean(), (chunks, steps, trailer) => {
        const framed = chunks.map((bytes) =>
          Buffer.concat([Buffer.from(`${bytes.length.toString(16)};e=1\r\n`), bytes, Buffer.from('\r\n')]),
        )
        const end = trailer ? '0\r\nX-T: 1\r\n\r\n' : '0\r\n\r\n'
        const whole = Buffer.concat([...framed, Buffer.from(`${end}GET`)])
        const pieces: Buffer[] = []
        let at = 0
        for (const step of steps) {
          pieces.push(whole.subarray(at, at + step))
          at = Math.min(whole.length, at + step)
        }
        pieces.push(whole.subarray(at))
        expect(readAll(CHUNKED, pieces)).toEqual({
          payload: Buffer.concat(chunks).toString('latin1'),
          rest: 'GET',
          done: true,
          trailers: trailer ? 'X-T: 1\r\n' : '',
        })
      }),
    )
  })
})
