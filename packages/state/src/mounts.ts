import fs from 'node:fs/promises'

/** What is mounted at `path` or below it; nothing on systems that do not say. */
export async function mountsBelow(path: string): Promise<string[]> {
  const real = await fs.realpath(path).catch(() => path)
  const link = (await fs.lstat(path).catch(() => undefined))?.isSymbolicLink()
  if (link) return [] // removing a link touches nothing of what it leads to
  const table = await fs.readFile('/proc/self/mountinfo', 'utf8').catch(() => '')
  const targets = table.split('\n').map((line) => unescapeOctal(line.split(' ')[4] ?? ''))
  return targets.filter((target) => target === real || target.startsWith(`${real}/`))
}

/** Space, tab, newline and backslash stand there as octal numbers, see proc_pid_mountinfo(5). */
function unescapeOctal(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
}
