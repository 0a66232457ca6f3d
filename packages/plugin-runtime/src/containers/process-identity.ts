/** Telling whether a process is still the one it was: numbers are used again. @module */
import fs from 'node:fs'
import { pidfdOpen, pidfdSendSignal } from '@kernel/sys'
import type { ProcessIdentity } from './record.ts'

let boot: string | undefined
function bootId(): string {
  boot ??= fs.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  return boot
}

/** Field 22 of /proc/PID/stat; undefined where there is no such process, or only its corpse. */
function startTimeOf(pid: number): string | undefined {
  try {
    const text = fs.readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19]
  } catch {
    return undefined
  }
}

export function identify(pid: number): ProcessIdentity {
  return { pid, startTime: startTimeOf(pid) ?? '', bootId: bootId() }
}

export function isAlive(process: ProcessIdentity | undefined): boolean {
  if (!process || process.bootId !== bootId()) return false
  const started = startTimeOf(process.pid)
  return started !== undefined && (process.startTime === '' || started === process.startTime)
}

/** @returns false where the process is gone */
export function signalProcess(process: ProcessIdentity, signal: number): boolean {
  let fd: number
  try {
    fd = pidfdOpen(process.pid)
  } catch {
    return false
  }
  try {
    if (!isAlive(process)) return false
    pidfdSendSignal(fd, signal)
    return true
  } catch (error) {
    if ((error as { code?: string }).code === 'ESRCH') return false
    throw error
  } finally {
    fs.closeSync(fd)
  }
}
