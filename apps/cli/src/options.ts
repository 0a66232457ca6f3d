/** The flags of a command. @module */
import { Option } from 'commander'
import type { CommandSpec } from './command.ts'

/** The command's own options, and how it finds the daemon. */
export function optionsOf(spec: Pick<CommandSpec, 'options'>): Option[] {
  const own = (spec.options ?? []).map(([flags, description, repeatable]) => {
    const option = new Option(flags, description)
    return repeatable
      ? option.argParser((value: string, before: string[] | undefined) => [...(before ?? []), value])
      : option
  })
  return own.some((option) => option.long === '--host')
    ? own
    : [...own, new Option('--host <address>', 'the daemon to ask')]
}
