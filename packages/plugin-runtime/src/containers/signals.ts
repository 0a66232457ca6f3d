/** Signals by name and number. @module */
import { constants } from 'node:os'
import { invalid } from '@kernel/contracts'

const RTMIN = 34
const RTMAX = 64

/** `TERM`, `SIGTERM`, `15`, `RTMIN+3`. @throws invalid `invalid signal: x` */
export function signalNumber(given: string): number {
  const name = given.toUpperCase().replace(/^SIG/, '')
  if (/^\d+$/.test(name)) {
    const number = Number(name)
    if (number >= 1 && number <= RTMAX) return number
  }
  const known = (constants.signals as Record<string, number>)[`SIG${name}`]
  if (known !== undefined) return known
  const realtime = /^RT(MIN|MAX)(?:([+-])(\d+))?$/.exec(name)
  if (realtime) {
    const offset = Number(realtime[3] ?? 0) * (realtime[2] === '-' ? -1 : 1)
    const number = (realtime[1] === 'MIN' ? RTMIN : RTMAX) + offset
    if (number >= RTMIN && number <= RTMAX) return number
  }
  throw invalid(`invalid signal: ${given}`)
}
