import { expect, it } from 'vitest'
import { splitLines } from './lines.ts'

it('cuts lines however the pieces come', async () => {
  async function* pieces() {
    yield 'one\ntw'
    yield 'o\n\nthr'
    yield 'ee'
  }
  const lines: string[] = []
  for await (const line of splitLines(pieces())) lines.push(line)
  expect(lines).toEqual(['one', 'two', 'three'])
})
