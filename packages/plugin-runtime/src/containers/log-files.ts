/** The files of a container's log: the current one and those that were rotated away. @module */
import fs from 'node:fs'
import { type HostConfig, invalid } from '@kernel/contracts'

export interface LogPolicy {
  /** `none`: nothing is kept. */
  driver: 'file' | 'none'
  /** Bytes of one file. */
  maxSize: number
  /** How many files, the current one included. */
  maxFile: number
}

/** Bounded by default, unlike Docker: a chatty container must not fill the disk. */
const DEFAULT: LogPolicy = { driver: 'file', maxSize: 10 << 20, maxFile: 3 }

/** The options of Docker's drivers; those about labels and tags change nothing in what `docker logs` shows. */
const OPTIONS = {
  'json-file': new Set([
    ...['max-size', 'max-file', 'compress', 'labels', 'labels-regex', 'env', 'env-regex', 'tag'],
    ...['mode', 'max-buffer-size'],
  ]),
  local: new Set(['max-size', 'max-file', 'compress', 'mode', 'max-buffer-size']),
}

/** @throws invalid on a driver that is not known, or a size that is none */
export function logPolicyOf(config: HostConfig['LogConfig']): LogPolicy {
  const type = config?.Type || 'json-file'
  if (type === 'none') return { ...DEFAULT, driver: 'none' }
  if (type !== 'json-file' && type !== 'local')
    throw invalid(`logger: no log driver named '${type}' is registered`, {
      hint: "Use 'json-file', 'local' or 'none'.",
    })
  const options = config?.Config ?? {}
  const unknown = Object.keys(options).find((name) => !OPTIONS[type].has(name))
  if (unknown !== undefined) throw invalid(`unknown log opt '${unknown}' for ${type} log driver`)
  const maxFile = options['max-file'] === undefined ? DEFAULT.maxFile : Number(options['max-file'])
  if (!Number.isInteger(maxFile) || maxFile < 1)
    throw invalid(`max-file cannot be less than 1: '${options['max-file']}'`)
  return {
    driver: 'file',
    maxSize: options['max-size'] === undefined ? DEFAULT.maxSize : parseSize(options['max-size']),
    maxFile,
  }
}

/** `10m`, `512k`, `1g`, `1000`; `-1` is no bound. */
function parseSize(text: string): number {
  if (text === '-1') return Number.POSITIVE_INFINITY
  const match = /^(\d+(?:\.\d+)?)\s*([bkmgt]?)(?:i?b)?$/i.exec(text.trim())
  const bytes = match
    ? Number(match[1]) * 1024 ** ' kmgt'.indexOf(match[2]?.toLowerCase().replace('b', ' ') || ' ')
    : 0
  if (!(bytes > 0)) throw invalid(`invalid size: '${text}'`)
  return Math.floor(bytes)
}

/** Paths that exist, oldest first; the current one is last. */
export function logFiles(path: string): string[] {
  const files: string[] = []
  for (let index = 1; fs.existsSync(`${path}.${index}`); index++) files.unshift(`${path}.${index}`)
  if (fs.existsSync(path)) files.push(path)
  return files
}

/**
 * Renames `log` to `log.1` and so on, dropping the oldest. Whoever writes must then open `log` anew; until it
 * does, it goes on writing to `log.1`, and nothing is lost.
 */
export function rotateLog(path: string, maxFile: number): void {
  if (maxFile === 1) return // conmon's own bound starts the one file anew
  fs.rmSync(`${path}.${maxFile - 1}`, { force: true })
  for (let index = maxFile - 2; index >= 1; index--) renameIfThere(`${path}.${index}`, `${path}.${index + 1}`)
  renameIfThere(path, `${path}.1`)
}

function renameIfThere(from: string, to: string): void {
  try {
    fs.renameSync(from, to)
  } catch (error) {
    if ((error as { code?: string }).code !== 'ENOENT') throw error
  }
}
