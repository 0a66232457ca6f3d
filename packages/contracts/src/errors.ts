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
/** It was tried and failed (500). */
export const failed = (message: string, options?: Options) => new Problem('failed', message, options)

/** The problem in `error` or in its chain of causes (a hook's failure wraps the original), else undefined. */
export function problemOf(error: unknown): Problem | undefined {
  for (let at: unknown = error; at instanceof Error; at = at.cause)
    if (at instanceof Problem || (at.name === 'Problem' && 'kind' in at)) return at as Problem
  return undefined
}
