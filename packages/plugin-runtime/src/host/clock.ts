import fs from 'node:fs'
import { type Check, fail, ok, warn } from './check.ts'
import { findProgram, runProgram } from './programs.ts'

const DAY = 86_400_000

/**
 * Whether the clock can be right: certificates and logins fail where it is not. Files that were written in the
 * past must not be from the future, and the machine should keep it by NTP.
 */
export async function clockCheck(dataDir: string): Promise<Check> {
  return judgeClock(Date.now(), newestWrite(dataDir), await synchronized())
}

/** @param synchronized undefined where this machine does not say */
export function judgeClock(now: number, lastWrite: number, synchronized: boolean | undefined): Check {
  const shown = new Date(now).toISOString().replace(/\.\d+Z$/, 'Z')
  const set = 'Set it: timedatectl set-ntp true (apt install systemd-timesyncd)'
  if (now + DAY < lastWrite) {
    const future = new Date(lastWrite).toISOString().slice(0, 10)
    return fail('clock', `${shown}, but files were written on ${future}`, set)
  }
  if (synchronized === false) return warn('clock', `${shown}, not kept by NTP`, set)
  return ok('clock', synchronized ? `${shown}, kept by NTP` : shown)
}

/** Files that a running system writes, and our own program. */
function newestWrite(dataDir: string): number {
  const files = [dataDir, '/var/log', '/var/lib/dpkg/status', '/etc', '/var/lib/systemd/timesync/clock']
  const times = files.map((file) => {
    try {
      return fs.statSync(file).mtimeMs
    } catch {
      return 0
    }
  })
  return Math.max(...times)
}

async function synchronized(): Promise<boolean | undefined> {
  const timedatectl = findProgram('timedatectl')
  if (timedatectl) {
    const { code, stdout } = await runProgram(timedatectl, ['show', '--property=NTPSynchronized', '--value'])
    if (code === 0 && stdout.trim() !== '') return stdout.trim() === 'yes'
  }
  const chronyc = findProgram('chronyc')
  if (chronyc) {
    const { code, stdout } = await runProgram(chronyc, ['-c', 'tracking'])
    // The last field is the leap status.
    if (code === 0) return !/Not synchronised/i.test(stdout)
  }
  return undefined
}
