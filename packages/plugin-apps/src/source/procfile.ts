/** The Procfile: a shell line for each process type. @module */
import { invalid } from '@kernel/contracts'
import { processTypePattern } from '../names.ts'

/**
 * @returns type -> line, in the order of the file; `release` among them
 * @throws invalid `Invalid Procfile`, with the number of the line
 */
export function parseProcfile(text: string): Record<string, string> {
  const processes: Record<string, string> = Object.create(null)
  const wrong = (number: number, why: string) =>
    invalid(`Invalid Procfile, line ${number}: ${why}`, {
      hint: 'Every line is "type: command", such as "web: node server.js".',
    })
  const lines = text.replace(/^\uFEFF/, '').split(/\r\n|\n|\r/)
  for (const [at, raw] of lines.entries()) {
    const line = raw.trim()
    if (line === '' || line.startsWith('#')) continue
    const colon = line.indexOf(':')
    if (colon < 0) throw wrong(at + 1, `${quoted(line)} has no ":"`)
    const type = line.slice(0, colon).trim()
    const command = line.slice(colon + 1).trim()
    if (!processTypePattern.test(type))
      throw wrong(at + 1, `${quoted(type)} is no process type; letters, digits, "-" and "_" are allowed`)
    if (command === '') throw wrong(at + 1, `process type ${quoted(type)} has no command`)
    if (type in processes) throw wrong(at + 1, `process type ${quoted(type)} is there twice`)
    processes[type] = command
  }
  if (Object.keys(processes).length === 0) throw wrong(1, 'it is empty')
  return { ...processes }
}

const quoted = (text: string) => JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}...` : text)

/** The types that are run and scaled. Without a Procfile it is `web`, by the image's own command. */
export function processTypes(procfile: Record<string, string>): string[] {
  const types = Object.keys(procfile).filter((type) => type !== 'release')
  return types.length === 0 && !('release' in procfile) ? ['web'] : types
}
