/**
 * The kinds of failure that cross a plugin's border. A handler throws the class that names the meaning;
 * one place (the HTTP server, the CLI) decides status and exit code.
 * @module
 */

/** What went wrong, by meaning. The HTTP status of each stands in `httpStatusOf`'s table in plugin-http. */
export type ProblemKind =
  | 'not-found'
  | 'conflict'
  | 'invalid'
  | 'denied'
  | 'unauthorized'
  | 'unavailable'
  | 'not-supported'
  | 'not-modified'
  | 'full'
  | 'failed'

/**
 * A failure that is meant for a person: `message` says what happened to what; `hint` what to do next.
 * Errors are matched by `kind`, never by `instanceof` alone, since they may have crossed a process border.
 */
export class Problem extends Error {
  readonly kind: ProblemKind
  /** What to do next, one line; empty where the message says it all. */
  readonly hint: string

  constructor(kind: ProblemKind, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'Problem'
    this.kind = kind
    this.hint = options.hint ?? ''
  }
}

type Options = { hint?: string; cause?: unknown }

/** The thing named does not exist (404). */
export const notFound = (message: string, options?: Options) => new Problem('not-found', message, options)
/** The state of the thing forbids it: a name taken, a container running (409). */
export const conflict = (message: string, options?: Options) => new Problem('conflict', message, options)
/** The input is wrong (400). */
export const invalid = (message: string, options?: Options) => new Problem('invalid', message, options)
/** Known caller, not allowed (403). */
export const denied = (message: string, options?: Options) => new Problem('denied', message, options)
/** Unknown caller (401). */
export const unauthorized = (message: string, options?: Options) =>
  new Problem('unauthorized', message, options)
/** Can't be served now or on this host (503). */
export const unavailable = (message: string, options?: Options) =>
  new Problem('unavailable', message, options)
/** This host or driver can't do it at all (501); the message gives the reason that a probe found. */
export const notSupported = (message: string, options?: Options) =>
  new Problem('not-supported', message, options)
/** Nothing to do: a start of what runs, a stop of what is stopped (304). */
export const notModified = (message: string, options?: Options) =>
  new Problem('not-modified', message, options)
/** A disk has no room left (507). */
export const full = (message: string, options?: Options) => new Problem('full', message, options)
/** It was tried and failed (500). */
export const failed = (message: string, options?: Options) => new Problem('failed', message, options)

/**
 * The problem in `error` or in its chain of causes (a hook's failure wraps the original), else undefined. Whatever
 * failed since a disk is full is the problem `full`, in the words of the failure.
 */
export function problemOf(error: unknown): Problem | undefined {
  const chain = causesOf(error)
  const problem = chain.find((at) => at instanceof Problem || (at.name === 'Problem' && 'kind' in at))
  const cause = chain.find(saysFull)
  if (!cause || (problem as Problem | undefined)?.kind === 'full') return problem as Problem | undefined
  const words = problem?.message ?? cause.message
  return full(words.includes(fullWords) ? words : `${fullWords}: ${words}`, { hint: fullHint, cause: error })
}

const fullWords = "The server's disk is full"
const fullHint =
  'See what is kept: kernel system:ledger. Make room: docker system prune, kernel apps:destroy, df -h'

/** The error and its causes, the outermost first. */
function causesOf(error: unknown): Error[] {
  const chain: Error[] = []
  for (let at: unknown = error; at instanceof Error && !chain.includes(at); at = at.cause) chain.push(at)
  return chain
}

/** SQLITE_FULL, and SQLITE_IOERR_SHMSIZE, which is how it says that its shared memory found no room. */
const fullDatabase = [13, 4874]

/**
 * In the code of the system or of SQLite, or in the words of a program that was run. A control group says the same
 * of a value that does not fit, which is about no disk.
 */
function saysFull(error: Error): boolean {
  const { code, errcode, message } = error as Error & { code?: unknown; errcode?: unknown }
  if (/cgroup/i.test(message)) return false
  return (
    code === 'ENOSPC' ||
    code === 'EDQUOT' ||
    fullDatabase.includes(errcode as number) ||
    /\bENOSPC\b|no space left on device|disk quota exceeded|database or disk is full/i.test(message)
  )
}
