/** The daemon's log: pino, as JSON lines or for people. @module */
import type { Logger } from '@kernel/kernel'
import pino from 'pino'
import pretty from 'pino-pretty'

/** Values under these names never reach the log, at whatever depth one level down. */
const secret = [
  'password',
  'token',
  'secret',
  'authorization',
  'identityToken',
  'registryToken',
  'env',
  'secretEnv',
]

/** A log whose level can be changed while it is written. */
export interface DaemonLogger extends Logger {
  setDebug(on: boolean): void
}

export function createLogger({ format, debug }: { format: 'json' | 'pretty'; debug: boolean }): DaemonLogger {
  const options: pino.LoggerOptions = {
    level: debug ? 'debug' : 'info',
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    serializers: { error: pino.stdSerializers.err, err: pino.stdSerializers.err },
    redact: { paths: secret.flatMap((name) => [name, `*.${name}`]), censor: '(hidden)' },
  }
  const log =
    format === 'pretty'
      ? pino(options, pretty({ sync: true, ignore: 'pid,hostname', translateTime: 'SYS:HH:MM:ss.l' }))
      : pino(options, pino.destination({ fd: 1, sync: true }))
  const line = (level: keyof Logger) => (message: string, fields?: Record<string, unknown>) =>
    log[level](fields ?? {}, message)
  return {
    debug: line('debug'),
    info: line('info'),
    warn: line('warn'),
    error: line('error'),
    setDebug(on) {
      log.level = on ? 'debug' : 'info'
    },
  }
}
