/** What a command is: one object, from which parsing, help, completion and the reference are made. @module */
import type { Client } from './client/client.ts'
import type { Output } from './output/output.ts'

/** What a command is run with. */
export interface Invocation {
  /** Positional arguments by the names in `args`; a variadic one is a list. */
  args: Record<string, string | string[] | undefined>
  options: Record<string, string | boolean | string[] | undefined>
  client: Client
  out: Output
  /** True where the command came in over SSH: no files of this machine, no daemon. */
  overSsh: boolean
  signal: AbortSignal
}

export interface CommandSpec {
  /** `noun:verb`. */
  name: string
  /** Commander's syntax: `<app> [keys...]`. */
  args?: string
  summary: string
  /** More than the summary says; shown by --help. */
  description?: string
  /** Flags and what they do; one that is repeatable gives a list. */
  options?: Array<[flags: string, description: string, repeatable?: 'repeatable']>
  /** Command lines without the leading `kernel `. */
  examples: string[]
  /** Flags behind the first argument belong to the command that is run. */
  passThrough?: boolean
  /** False: only on this machine. */
  overSsh?: boolean
  /** An exit code other than 0 by its answer. */
  run(invocation: Invocation): Promise<number | void>
}

/** A positional argument that must be there. */
export function text(invocation: Invocation, name: string): string {
  const value = invocation.args[name]
  if (typeof value !== 'string') throw new TypeError(`the command declares no argument ${name}`)
  return value
}

/** A variadic argument. */
export function list(invocation: Invocation, name: string): string[] {
  const value = invocation.args[name]
  return Array.isArray(value) ? value : value === undefined ? [] : [value]
}

export function option(invocation: Invocation, name: string): string | undefined {
  const value = invocation.options[name]
  return typeof value === 'string' ? value : undefined
}
