import { readFileSync } from 'node:fs'

/** The version of the product, as the package says. */
export const version: string = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
).version
