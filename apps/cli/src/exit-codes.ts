/** What a command's exit code says; shown by `kernel help` and docs/reference. @module */
import type { ProblemKind } from '@kernel/contracts'

export const exitCodes = {
  ok: { code: 0, meaning: 'It worked' },
  failed: { code: 1, meaning: 'It was tried and failed: a build, a check, a command' },
  usage: { code: 2, meaning: 'The command line or a value is wrong; nothing was done' },
  notFound: { code: 3, meaning: 'What was named does not exist' },
  conflict: { code: 4, meaning: 'The state forbids it: a name is taken, an app is locked' },
  denied: { code: 5, meaning: 'Not allowed: no or a wrong token, a command that may not run over SSH' },
  unavailable: { code: 6, meaning: 'No daemon answers, or it can not do this now or on this host' },
  full: { code: 7, meaning: "The server's disk is full" },
  interrupted: { code: 130, meaning: 'Ended by Ctrl-C or a signal' },
} as const

const byKind: Record<ProblemKind, number> = {
  'not-found': exitCodes.notFound.code,
  conflict: exitCodes.conflict.code,
  invalid: exitCodes.usage.code,
  denied: exitCodes.denied.code,
  unauthorized: exitCodes.denied.code,
  unavailable: exitCodes.unavailable.code,
  'not-supported': exitCodes.unavailable.code,
  'not-modified': exitCodes.ok.code,
  full: exitCodes.full.code,
  failed: exitCodes.failed.code,
}

/** The commands that answer with the exit code of what they ran. */
export const passOnExitCode = ['run', 'enter', 'ssh-exec']

export const exitCodeOf = (kind: ProblemKind): number => byKind[kind]
