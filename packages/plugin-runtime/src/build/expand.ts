/**
 * Words of a Dockerfile: quotes, escapes and variables, as its shell lexer treats them.
 * Source: docs.docker.com/reference/dockerfile, "Environment replacement".
 * @module
 */
import { invalid } from '@kernel/contracts'

export type Variables = (name: string) => string | undefined

interface Cursor {
  text: string
  at: number
}

/** One word (blanks belong to it) with quotes removed and variables replaced. @throws invalid */
export function expandWord(text: string, variables: Variables, escapeChar = '\\'): string {
  const cursor = { text, at: 0 }
  let out = ''
  while (cursor.at < text.length) {
    const char = text[cursor.at]!
    if (char === "'") out += singleQuoted(cursor)
    else if (char === '"') out += doubleQuoted(cursor, variables, escapeChar)
    else if (char === '$') out += variable(cursor, variables, escapeChar)
    else if (char === escapeChar && cursor.at + 1 < text.length) {
      out += text[cursor.at + 1]
      cursor.at += 2
    } else {
      out += char
      cursor.at += 1
    }
  }
  return out
}

/** Words are cut at blanks outside quotes, each expanded. */
export function expandWords(text: string, variables: Variables, escapeChar = '\\'): string[] {
  return splitWords(text, escapeChar).map((word) => expandWord(word, variables, escapeChar))
}

/** Cuts at blanks outside quotes and `${}`; quotes stay. */
export function splitWords(text: string, escapeChar = '\\'): string[] {
  const words: string[] = []
  let word = ''
  let quote = ''
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    const char = text[at]!
    if (char === escapeChar && quote !== "'" && at + 1 < text.length) {
      word += char + text[++at]
      continue
    }
    if (quote !== '') {
      if (char === quote) quote = ''
    } else if (char === '"' || char === "'") quote = char
    else if (char === '{' && text[at - 1] === '$') depth += 1
    else if (char === '}' && depth > 0) depth -= 1
    else if (/\s/.test(char) && depth === 0) {
      if (word !== '') words.push(word)
      word = ''
      continue
    }
    word += char
  }
  if (word !== '') words.push(word)
  return words
}

function singleQuoted(cursor: Cursor): string {
  const end = cursor.text.indexOf("'", cursor.at + 1)
  if (end < 0) throw invalid('unexpected end of statement while looking for matching single-quote')
  const inner = cursor.text.slice(cursor.at + 1, end)
  cursor.at = end + 1
  return inner
}

function doubleQuoted(cursor: Cursor, variables: Variables, escapeChar: string): string {
  let out = ''
  cursor.at += 1
  while (cursor.at < cursor.text.length) {
    const char = cursor.text[cursor.at]!
    if (char === '"') {
      cursor.at += 1
      return out
    }
    if (char === '$') out += variable(cursor, variables, escapeChar)
    else if (char === escapeChar && cursor.at + 1 < cursor.text.length) {
      const next = cursor.text[cursor.at + 1]!
      out += next === '"' || next === '$' || next === escapeChar ? next : char + next
      cursor.at += 2
    } else {
      out += char
      cursor.at += 1
    }
  }
  throw invalid('unexpected end of statement while looking for matching double-quote')
}

/** `$NAME`, `${NAME}`, `${NAME:-word}`, `${NAME:+word}`, `${NAME:?word}`, and the same without the colon. */
function variable(cursor: Cursor, variables: Variables, escapeChar: string): string {
  const rest = cursor.text.slice(cursor.at + 1)
  const plain = /^(?:[A-Za-z_][A-Za-z0-9_]*|[0-9@*#])/.exec(rest)
  if (plain) {
    cursor.at += 1 + plain[0].length
    return variables(plain[0]) ?? ''
  }
  if (!rest.startsWith('{')) {
    cursor.at += 1
    return '$'
  }
  const found = /^\{([A-Za-z_][A-Za-z0-9_]*)/.exec(rest)
  const end = matchingBrace(rest)
  if (!found || end < 0) throw invalid(`bad substitution: $${rest}`)
  const name = found[1]!
  const modifier = rest.slice(found[0].length, end)
  cursor.at += 1 + end + 1
  return modify(name, modifier, variables, escapeChar)
}

function modify(name: string, modifier: string, variables: Variables, escapeChar: string): string {
  const value = variables(name)
  if (modifier === '') return value ?? ''
  const found = /^(:?)([-+?])([\s\S]*)$/.exec(modifier)
  if (!found) throw invalid(`unsupported modifier (${modifier}) in substitution of ${name}`)
  const [, colon, operator, word = ''] = found
  const isSet = value !== undefined && (colon === '' || value !== '')
  if (operator === '+') return isSet ? expandWord(word, variables, escapeChar) : ''
  if (isSet) return value
  if (operator === '-') return expandWord(word, variables, escapeChar)
  throw invalid(`${name}: ${expandWord(word, variables, escapeChar) || 'not allowed to be unset'}`)
}

function matchingBrace(text: string): number {
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '{') depth += 1
    if (text[at] === '}' && --depth === 0) return at
  }
  return -1
}
