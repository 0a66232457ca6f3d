import { expect, it } from 'vitest'
import { createLineSink } from './build-lines.ts'

it('cuts pieces into lines and keeps the last state of an overwritten one', () => {
  const lines: string[] = []
  const sink = createLineSink((line) => lines.push(line.text))
  sink.write('one\ntw')
  sink.write('o\n10%\r50%\r100%\nthe e')
  sink.write('nd')
  expect(lines).toEqual(['one', 'two', '100%'])
  sink.end()
  sink.end()
  expect(lines).toEqual(['one', 'two', '100%', 'the end'])
})

it('does not collect a line without end', () => {
  const lines: string[] = []
  const sink = createLineSink((line) => lines.push(line.text))
  for (let round = 0; round < 100; round++) sink.write('x'.repeat(1000))
  expect(lines.length).toBeGreaterThan(4)
})
