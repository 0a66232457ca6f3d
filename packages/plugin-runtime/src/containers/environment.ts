/** The environment of a container's processes, in Docker's order. @module */

export const DEFAULT_PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/**
 * PATH and HOSTNAME first, TERM for a terminal, then what image and user set (a later value replaces an
 * earlier one in place; a bare `NAME` removes it), HOME last where nobody set it.
 */
export function environmentOf(options: {
  hostname: string
  tty: boolean
  env: string[]
  home: string
}): string[] {
  const start = [DEFAULT_PATH, `HOSTNAME=${options.hostname}`, ...(options.tty ? ['TERM=xterm'] : [])]
  const merged = mergeEnv(start, options.env)
  return merged.some((entry) => entry.startsWith('HOME=')) ? merged : [...merged, `HOME=${options.home}`]
}

/** @returns `base` with `changes` applied, name by name */
export function mergeEnv(base: string[], changes: string[]): string[] {
  const values = new Map<string, string>()
  for (const entry of [...base, ...changes]) {
    const name = entry.split('=', 1)[0] ?? entry
    if (entry.includes('=')) values.set(name, entry)
    else values.delete(name)
  }
  return [...values.values()]
}
