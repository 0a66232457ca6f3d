/** Which shared libraries a program of this machine needs. @module */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { failed } from '@kernel/contracts'

const run = promisify(execFile)

/**
 * Absolute paths of the libraries (the loader among them) that the dynamic linker of this machine finds for
 * a program, sorted; empty for a static one. Asks ldd(1), which is part of the C library.
 * @throws failed where a library is missing
 */
export async function sharedLibraries(program: string): Promise<string[]> {
  const { stdout } = await run('ldd', [program], { env: { PATH: process.env.PATH, LC_ALL: 'C' } }).catch(
    (error: NodeJS.ErrnoException & { stdout?: string; stderr?: string }) => {
      const said = `${error.stdout ?? ''}${error.stderr ?? ''}`
      if (/not a dynamic executable|statically linked/.test(said)) return { stdout: '' }
      throw failed(`The libraries of ${program} can not be told: ${said.trim() || error.message}`, {
        cause: error,
      })
    },
  )
  return parseLdd(stdout, program)
}

/** Lines such as `libm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x7f...)` and `/lib64/ld-linux-x86-64.so.2 (0x7f...)`. */
export function parseLdd(text: string, program: string): string[] {
  const found = new Set<string>()
  for (const line of text.split('\n')) {
    const missing = /^\s*(\S+) => not found/.exec(line)
    if (missing)
      throw failed(`${program} needs the library ${missing[1]}, which this machine does not have.`, {
        hint: 'Install the package that holds it',
      })
    const path = /^\s*(?:\S+ => )?(\/\S+) \(0x[0-9a-f]+\)$/.exec(line)
    if (path) found.add(path[1]!)
  }
  return [...found].sort()
}
