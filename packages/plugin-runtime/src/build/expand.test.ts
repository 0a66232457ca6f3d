import { expect, it } from 'vitest'
import { expandWord, expandWords, splitWords } from './expand.ts'

const variables = (name: string) => ({ A: 'one', B: 'x y', EMPTY: '' })[name]

it.each([
  ['$A', 'one'],
  ['${A}s', 'ones'],
  ['$A_', ''],
  ['pre-$B-post', 'pre-x y-post'],
  ["'$A'", '$A'],
  ['"$A and \\"quotes\\""', 'one and "quotes"'],
  ['\\$A', '$A'],
  ['"\\$A"', '$A'],
  ['"\\n"', '\\n'],
  ['${NONE:-fallback}', 'fallback'],
  ['${EMPTY:-fallback}', 'fallback'],
  ['${EMPTY-fallback}', ''],
  ['${NONE:-${A}}', 'one'],
  ['${A:+yes}', 'yes'],
  ['${NONE:+yes}', ''],
  ['100$', '100$'],
  ['a$', 'a$'],
])('expands %s to %s', (text, wanted) => {
  expect(expandWord(text, variables)).toBe(wanted)
})

it('fails where a variable must be set, and on what it does not know', () => {
  expect(() => expandWord('${NONE:?give me one}', variables)).toThrow('NONE: give me one')
  expect(() => expandWord('${A%x}', variables)).toThrow(/unsupported modifier/)
  expect(() => expandWord('"open', variables)).toThrow(/double-quote/)
  expect(() => expandWord("'open", variables)).toThrow(/single-quote/)
  expect(() => expandWord('${A', variables)).toThrow(/bad substitution/)
})

it('cuts words at blanks outside quotes', () => {
  expect(splitWords(`a  "b c" 'd e'f \${X:-g h} i\\ j`)).toEqual([
    'a',
    '"b c"',
    "'d e'f",
    '${X:-g h}',
    'i\\ j',
  ])
  expect(expandWords('A=$B "C D"=1', variables)).toEqual(['A=x y', 'C D=1'])
  expect(expandWords('a`b `$A', variables, '`')).toEqual(['ab', '$A'])
})
