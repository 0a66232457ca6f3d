/** One line: a message a person can read, and fields a machine can. */
export type LogLine = (message: string, fields?: Record<string, unknown>) => void
export type Logger = Record<'debug' | 'info' | 'warn' | 'error', LogLine>

/** The same log, with `scope` among the fields of every line. */
export function scopeLogger(log: Logger, scope: Record<string, unknown>): Logger {
  const line =
    (level: keyof Logger): LogLine =>
    (message, fields) =>
      log[level](message, { ...scope, ...fields })
  return { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') }
}
