import { expect, it } from 'vitest'
import { createOutput, lineSplitter } from './output.ts'

it('splits texts into lines and cuts those without end', () => {
  const lines: string[] = []
  const output = createOutput(({ kind, text }) => lines.push(`${kind} ${text}`))
  output.detail('one\ntwo\r\n')
  output.error('')
  output.step('x'.repeat(10_000))
  expect(lines.slice(0, 3)).toEqual(['detail one', 'detail two', 'error '])
  expect(lines[3]).toHaveLength('step '.length + 4096 + 3)
})

it('puts pieces together, across characters', () => {
  const lines: string[] = []
  const splitter = lineSplitter((line) => lines.push(line))
  const bytes = Buffer.from('grüße\r\nzwei\nrest')
  for (const byte of bytes) splitter.push(Uint8Array.of(byte))
  splitter.end()
  splitter.end()
  expect(lines).toEqual(['grüße', 'zwei', 'rest'])
})
