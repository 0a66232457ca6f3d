/** One line of `kernel doctor`. */
export interface Check {
  name: string
  /** `warn`: it works, with the limits that `found` names. */
  status: 'ok' | 'warn' | 'fail'
  found: string
  /** What to do; empty where all is well. */
  advice: string
}

export const ok = (name: string, found: string): Check => ({ name, status: 'ok', found, advice: '' })
export const warn = (name: string, found: string, advice: string): Check => ({
  name,
  status: 'warn',
  found,
  advice,
})
export const fail = (name: string, found: string, advice: string): Check => ({
  name,
  status: 'fail',
  found,
  advice,
})
