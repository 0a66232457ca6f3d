/** Splits a command line into words as a POSIX shell does, and does nothing else a shell does. @module */
import { invalid } from '@kernel/contracts'

/**
 * Quotes and backslashes work as in POSIX 2.2; nothing is expanded, and `& | ; < > $ * #` are ordinary
 * characters: an SSH client sends `config:set app URL=http://x/?a=1&b=2` with the quotes already gone. (Parsers of
 * shell syntax answer operators as words of their own, and not whether they stood apart.)
 * @throws invalid where a quote is not closed
 */
export function splitWords(line: string): string[] {
  const words: string[] = []
  let word: string | undefined
  const pattern = /\s+|'([^']*)'|"((?:[^"\\]|\\[\s\S])*)"|\\([\s\S])|([^\s'"\\]+)|([\s\S])/gy
  for (const [whole, single, double, escaped, plain, stray] of line.matchAll(pattern)) {
    if (stray !== undefined)
      throw invalid(`The command has a ${stray} that is not closed.`, {
        hint: 'Quote it twice, once for your shell and once for the server.',
      })
    const text = single ?? double?.replace(/\\([\\"$`])/g, '$1') ?? escaped ?? plain
    if (text !== undefined) word = (word ?? '') + text
    else if (whole !== '' && word !== undefined) {
      words.push(word)
      word = undefined
    }
  }
  if (word !== undefined) words.push(word)
  return words
}
