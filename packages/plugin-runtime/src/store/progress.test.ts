import { expect, test } from 'vitest'
import { humanSize, progressLine } from './progress.ts'

test.each([
  [0, '0B'],
  [999, '999B'],
  [1000, '1kB'],
  [36_445, '36.45kB'],
  [1_064_337, '1.064MB'],
  [2_500_000_000, '2.5GB'],
])('%d bytes are %s', (bytes, text) => {
  expect(humanSize(bytes)).toBe(text)
})

test('a bar as dockerd draws it', () => {
  // Measured on dockerd 20.10.
  expect(progressLine('Downloading', 'id', 36_445, 1_064_337)).toEqual({
    status: 'Downloading',
    progressDetail: { current: 36_445, total: 1_064_337 },
    progress: '[=>                                                 ]  36.45kB/1.064MB',
    id: 'id',
  })
  expect(progressLine('Downloading', 'id', 130, 130).progress).toBe(
    '[==================================================>]     130B/130B',
  )
  expect(progressLine('Downloading', 'id', 130, 0)).toMatchObject({
    progressDetail: { current: 130 },
    progress: '    130B',
  })
})
