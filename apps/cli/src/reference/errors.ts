/** docs/reference/errors.md: what can go wrong, by the names under which programs meet it. @module */
import type { ProblemKind } from '@kernel/contracts'
import { errorCodes } from '@kernel/kernel'
import { httpStatusOf } from '@kernel/plugin-http'
import { exitCodeOf } from '../exit-codes.ts'
import { exitCodeTable, generated, table } from './markdown.ts'

const kinds: Record<ProblemKind, string> = {
  'not-modified': 'Nothing was to be done: it is so already',
  invalid: 'The request, or a value in it, is wrong',
  unauthorized: 'The caller is not known: no token, or a wrong one',
  denied: 'The caller is known, and not allowed to do this',
  'not-found': 'What was named does not exist',
  conflict: 'The state forbids it: a name is taken, an app is locked, a container runs',
  full: "The server's disk has no room left; the message says what could not be written",
  failed: 'It was tried and failed: a build, a check, a command',
  'not-supported': 'This host or driver can not do it at all; the message says why',
  unavailable: 'It can not be done now: nobody answers, or a part is missing on this host',
}

export function renderErrors(): string {
  const kindRows = (Object.keys(kinds) as ProblemKind[]).map((kind) => [
    `\`${kind}\``,
    String(httpStatusOf(kind)),
    String(exitCodeOf(kind)),
    kinds[kind],
  ])
  return [
    generated,
    '# Errors',
    'Every failure says what happened to what, and what to do next. Programs tell failures apart by the names below, which stay; the words of a message may change.',
    '## Kinds of problem',
    'The API answers `{"kind", "message", "hint"}` with the status of the kind (Docker\'s API: `{"message"}` with the same status). The `kernel` command prints message and hint to standard error, with `--format json` as `{"error": {"message", "hint"}}`, and ends with the exit code. Plugins throw them by the functions of `@kernel/contracts`: `notFound(message, { hint })`.',
    table(['Kind', 'HTTP', 'Exit code', 'Meaning'], kindRows),
    '## Exit codes of the command',
    exitCodeTable(),
    '## Codes of the plugin system',
    'A `KernelError` has one of these as `code`, names the `plugin` and the `hook` to blame, and keeps what was thrown in `cause`. They are in the log of the daemon, and `kernel plugin:list` shows why a plugin does not run.',
    table(
      ['Code', 'Meaning'],
      Object.entries(errorCodes).map(([code, meaning]) => [`\`${code}\``, meaning]),
    ),
  ]
    .join('\n\n')
    .concat('\n')
}
