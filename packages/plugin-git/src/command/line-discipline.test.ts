import { PassThrough, Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { cookedInput, withCarriageReturns } from './line-discipline.ts'

describe('withCarriageReturns', () => {
  it.each([
    [['a\nb\n'], 'a\r\nb\r\n'],
    [['a\r\nb'], 'a\r\nb'],
    [['a\r', '\nb', '\n'], 'a\r\nb\r\n'],
    [['\n\n'], '\r\n\r\n'],
  ])('of %j', async (pieces, result) => {
    expect(await text(withCarriageReturns(Readable.from(pieces.map((piece) => Buffer.from(piece)))))).toBe(
      result,
    )
  })
})

describe('cookedInput', () => {
  async function type(keys: string): Promise<{ input: string; echo: string; interrupts: number }> {
    let interrupts = 0
    const echo = new PassThrough()
    const input = await text(
      cookedInput(
        Readable.from([...Buffer.from(keys)].map((byte) => Buffer.of(byte))),
        echo,
        () => interrupts++,
      ),
    )
    echo.end()
    return { input, echo: await text(echo), interrupts }
  }

  it('hands on lines and shows what is typed', async () => {
    expect(await type('yes\rno\n')).toEqual({ input: 'yes\nno\n', echo: 'yes\r\nno\r\n', interrupts: 0 })
  })

  it('erases characters, also longer ones, and lines', async () => {
    expect((await type('ab\x7fc\r')).input).toBe('ac\n')
    expect(await type('aü\x7f\r')).toMatchObject({
      input: 'a\n',
      echo: expect.stringMatching(/ü\x08 \x08\r\n$/),
    })
    expect((await type('abc\x15d\r\x7f\x7f')).input).toBe('d\n')
  })

  it('ends at ^D, interrupts at ^C, leaves control characters out', async () => {
    expect((await type('a\r\x04b\r')).input).toBe('a\n')
    expect((await type('part\x04')).input).toBe('part')
    expect(await type('abc\x03d\r')).toEqual({ input: 'd\n', echo: 'abc^C\r\nd\r\n', interrupts: 1 })
    expect((await type('a\x1b\x01b\r')).input).toBe('ab\n')
  })
})
