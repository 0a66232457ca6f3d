/** The `kernel` command. @module */
import { CommanderError } from 'commander'
import { exitCodes } from './exit-codes.ts'
import { createProgram } from './program.ts'

/** Runs a command line (without `node` and the script); sets the process's exit code. */
export async function main(argv: string[]): Promise<void> {
  const interrupt = new AbortController()
  // The daemon has its own way to stop.
  if (argv[0] !== 'daemon')
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupt.abort())
  // A reader that went away (`kernel logs app | head`) is no failure.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))
  try {
    if (argv[0] === 'complete' && argv[1] === '--') {
      const { answerCompletion } = await import('./completion.ts')
      return await answerCompletion(argv.slice(2), process.env)
    }
    const program = createProgram({
      env: process.env,
      stdout: process.stdout,
      stderr: process.stderr,
      signal: interrupt.signal,
      onExit(code) {
        process.exitCode = code
      },
    })
    await program.parseAsync(argv.length === 0 ? ['help'] : argv, { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    process.exitCode = error.exitCode === 0 ? 0 : exitCodes.usage.code
  }
}
