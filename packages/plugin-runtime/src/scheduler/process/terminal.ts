/** A terminal for a host process, by script(1), which every Linux and macOS has. @module */
import { platform } from 'node:os'

/** `argv` under a terminal of the size given; the exit code stays the command's own. */
export function terminalCommand(
  argv: string[],
  { rows, columns }: { rows?: number; columns?: number },
): string[] {
  const size = rows && columns ? `stty rows ${Math.trunc(rows)} cols ${Math.trunc(columns)}; ` : ''
  const line = `${size}exec ${argv.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ')}`
  if (platform() === 'darwin') return ['script', '-q', '/dev/null', '/bin/sh', '-c', line]
  return ['script', '-q', '-e', '-f', '-c', line, '/dev/null']
}
