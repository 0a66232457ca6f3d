import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { readPush } from './hook-channel.ts'

const message = (...fields: string[]) => Buffer.from(fields.map((field) => `${field}\0`).join(''))
const [a, b] = ['a'.repeat(40), 'b'.repeat(40)]
const whole = message(
  '/r/objects/in',
  '/r/objects',
  '2',
  'plan',
  'a=\nb',
  `${a} ${b} refs/heads/main\n${a} ${b} refs/tags/v 1\n`,
)

describe('readPush', () => {
  it('reads a push, however it is cut', async () => {
    for (const size of [1, 7, 1000]) {
      const pieces = Array.from({ length: Math.ceil(whole.length / size) }, (_, n) =>
        whole.subarray(n * size, (n + 1) * size),
      )
      expect(await readPush(Readable.from(pieces), '/r')).toEqual({
        env: { GIT_OBJECT_DIRECTORY: '/r/objects/in', GIT_ALTERNATE_OBJECT_DIRECTORIES: '/r/objects' },
        options: ['plan', 'a=\nb'],
        updates: [
          { oldRev: a, newRev: b, ref: 'refs/heads/main' },
          { oldRev: a, newRev: b, ref: 'refs/tags/v 1' },
        ],
      })
    }
  })

  it('takes paths relative to the repository', async () => {
    const push = await readPush(Readable.from([message('./objects/in', './objects', '0', '')]), '/r')
    expect(push?.env.GIT_OBJECT_DIRECTORY).toBe('/r/objects/in')
    expect(push?.updates).toEqual([])
  })

  it('answers nothing where the channel ends early', async () => {
    expect(await readPush(Readable.from([]), '/r')).toBeUndefined()
    expect(await readPush(Readable.from([whole.subarray(0, -1)]), '/r')).toBeUndefined()
  })

  it('keeps no more than is sensible', async () => {
    await expect(readPush(Readable.from([Buffer.alloc(2_000_000, 'x')]), '/r')).rejects.toThrow(
      'too many refs',
    )
  })
})
