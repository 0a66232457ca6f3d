/** The pages of docs/reference that are made from this program. @module */
import { renderCommands } from './commands.ts'
import { renderErrors } from './errors.ts'

/** File name in docs/reference, and its text. */
export const pages: Record<string, () => string> = {
  'cli.md': renderCommands,
  'errors.md': renderErrors,
}

export const referenceDir = new URL('../../../../docs/reference/', import.meta.url)
