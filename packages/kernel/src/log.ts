/** One line with a message a person can read and fields a machine can. */
export type LogLine = (message: string, fields?: Record<string, unknown>) => void

export interface Logger {
  debug: LogLine
  info: LogLine
  warn: LogLine
  error: LogLine
}

/** The same log, with `scope` among the fields of every line. */
export function scopeLogger(log: Logger, scope: Record<string, unknown>): Logger {
  return {
    debug: (message, fields) => log.debug(message, { ...scope, ...fields }),
    info: (message, fields) => log.info(message, { ...scope, ...fields }),
    warn: (message, fields) => log.warn(message, { ...scope, ...fields }),
    error: (message, fields) => log.error(message, { ...scope, ...fields }),
  }
}
