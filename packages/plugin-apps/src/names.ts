/** What may be called what: apps, process types, variables, domains. @module */
import { domainToASCII } from 'node:url'
import { invalid } from '@kernel/contracts'

const longest = 63

/** @throws invalid, with what the name may look like */
export function checkAppName(name: string): string {
  if (!/^[a-z0-9][a-z0-9.-]*$/.test(name) || name.length > longest || name === 'global')
    throw invalid(`${JSON.stringify(name)} is no name for an app`, {
      hint: `Use lower-case letters, digits, "." and "-", beginning with a letter or digit, at most ${longest} characters; "global" is taken.`,
    })
  return name
}

/** @throws invalid */
export function checkVariableName(name: string): string {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
    throw invalid(`${JSON.stringify(name)} is no name for a variable`, {
      hint: 'Use letters, digits and "_", not beginning with a digit.',
    })
  return name
}

/** Process types become parts of container names and of variables. */
export const processTypePattern = /^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/

/**
 * A domain in the form in which requests carry it: lower case, punycode, no final dot. A first label `*` is a
 * wildcard.
 * @throws invalid
 */
export function normalizeDomain(input: string): string {
  const text = input.trim().replace(/\.$/, '')
  const wildcard = text.startsWith('*.')
  const ascii = domainToASCII(wildcard ? text.slice(2) : text).toLowerCase()
  const labels = ascii.split('.')
  const sound =
    !/[\s/?#@:\\%]/.test(text) &&
    ascii.length <= 253 &&
    labels.every((label) => /^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?$/.test(label) && label.length <= 63)
  if (ascii === '' || !sound)
    throw invalid(`${JSON.stringify(input)} is no domain`, {
      hint: 'Give a host name such as app.example.com or *.example.com, without scheme, port or path.',
    })
  return wildcard ? `*.${ascii}` : ascii
}

/** `3f2a91c`: what people call a commit. */
export const shortRev = (rev: string) => rev.slice(0, 7)
