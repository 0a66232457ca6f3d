import { execFileSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { splitWords } from './words.ts'

describe('splitWords', () => {
  it.each([
    ['', []],
    ['  apps:list  ', ['apps:list']],
    ["a 'b c' d", ['a', 'b c', 'd']],
    [`a "b 'c' \\"d\\"" e`, ['a', `b 'c' "d"`, 'e']],
    ['a\\ b c', ['a b', 'c']],
    [`x=' y'"z"w`, ['x= yzw']],
    [`'' ""`, ['', '']],
    ['U=http://x/?a=1&b=2#c', ['U=http://x/?a=1&b=2#c']],
    [
      'echo $HOME `id` $(id) > x | y; z * ~',
      ['echo', '$HOME', '`id`', '$(id)', '>', 'x', '|', 'y;', 'z', '*', '~'],
    ],
    [`"a\\nb"`, ['a\\nb']],
    ['a\nb', ['a', 'b']],
  ])('splits %j', (line, words) => {
    expect(splitWords(line)).toEqual(words)
  })

  it('agrees with the shell on quotes', () => {
    for (const line of [`a'b'"c"d`, `"\\$x" '\\$x' \\\\`, `"\\\\" "\\a" \\a`, `'a\\' b`]) {
      const script = `for word in ${line}; do printf '%s\\n' "$word"; done`
      expect(splitWords(line)).toEqual(
        execFileSync('sh', ['-c', script], { encoding: 'utf8' }).trim().split('\n'),
      )
    }
  })

  it.each([`a 'b`, 'a "b', 'a\\'])('refuses %j', (line) => {
    expect(() => splitWords(line)).toThrow('not closed')
  })
})
