/** Commands for one app, for every app, or for all apps together. @module */
import { type AppSummary, invalid } from '@kernel/contracts'
import type { Invocation } from '../command.ts'

export const globalFlag: [string, string] = ['--global', 'for all apps together, in place of the app']

/**
 * The app and the words behind it; with `--global` all words are behind it.
 * @param names of the positional arguments, the app's first
 * @throws invalid where the first `due` of those behind the app are not all there
 */
export function scoped(call: Invocation, names: string[], due: number): { app: string; words: string[] } {
  const words = names.map((name) => call.args[name]).filter((word) => typeof word === 'string')
  const app = call.options.global === true ? 'global' : words.shift()
  if (app === undefined || words.length < due)
    throw invalid(`Too few arguments: ${['APP or --global', ...names.slice(1, due + 1)].join(', ')} are due.`)
  if (words.length > names.length - 1) throw invalid(`One argument too many: ${words.at(-1)}`)
  return { app, words }
}

/** The app that was named, else all there are. */
export async function appsNamed({ args, client }: Invocation): Promise<string[]> {
  if (typeof args.app === 'string') return [args.app]
  return (await client.json<AppSummary[]>('appsList')).map(({ name }) => name)
}
