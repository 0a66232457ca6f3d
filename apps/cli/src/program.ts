/** Turns the commands into commander's: parsing, help, completion. @module */
import { denied, problemOf } from '@kernel/contracts'
import { Command, CommanderError, Option } from 'commander'
import { parseAddress } from './client/address.ts'
import { Client } from './client/client.ts'
import type { CommandSpec, Invocation } from './command.ts'
import { commandGroups } from './commands/index.ts'
import { exitCodeOf, exitCodes, passOnExitCode } from './exit-codes.ts'
import { optionsOf } from './options.ts'
import { Output } from './output/output.ts'
import { version } from './version.ts'

export interface ProgramOptions {
  env: NodeJS.ProcessEnv
  stdout: NodeJS.WritableStream
  stderr: NodeJS.WritableStream
  signal: AbortSignal
  /** Told the exit code of the command that ran. */
  onExit(code: number): void
}

/** The whole command line; parse it with `parseAsync(argv, { from: 'user' })`. */
export function createProgram(options: ProgramOptions): Command {
  const program = new Command('kernel')
    .description('git push, and it runs: apps and containers on your own server')
    .version(version, '-V, --version', 'print the version')
    .showHelpAfterError('(kernel help COMMAND shows its usage)')
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => options.stdout.write(text),
      writeErr: (text) => options.stderr.write(text),
      outputError: (text, write) => write(text.replace(/^error: /, ' !     ')),
    })
    .addHelpText(
      'after',
      `
Exit codes:
${Object.values(exitCodes)
  .map(({ code, meaning }) => `  ${String(code).padEnd(3)}  ${meaning}`)
  .join('\n')}
  ${passOnExitCode.join(', ')} end with the code of the command they ran.

The daemon is found by --host or KERNEL_HOST (unix:///run/kernel/kernel.sock, tcp://host:port with KERNEL_TOKEN).`,
    )
  for (const { title, commands } of commandGroups)
    for (const spec of commands) program.addCommand(createCommand(spec, program, options).helpGroup(title))
  return program
}

function createCommand(spec: CommandSpec, program: Command, options: ProgramOptions): Command {
  const command = new Command(spec.name)
    .copyInheritedSettings(program)
    .summary(spec.summary)
    .description([spec.summary, spec.description].filter(Boolean).join('\n\n'))
  if (spec.args) command.arguments(spec.args)
  if (spec.passThrough) command.passThroughOptions()
  for (const option of optionsOf(spec)) command.addOption(option)
  command
    .addOption(new Option('--format <format>', 'how to print').choices(['text', 'json']).default('text'))
    .option('-q, --quiet', 'print less')
    .option('--trace', 'on a failure, say where in the program')
    .addHelpText('after', `\nExamples:\n${spec.examples.map((line) => `  $ kernel ${line}`).join('\n')}`)
  command.action(async () => {
    options.onExit(await invoke(spec, command, options))
  })
  return command
}

async function invoke(spec: CommandSpec, command: Command, options: ProgramOptions): Promise<number> {
  const flags = command.opts<Record<string, string | boolean | string[] | undefined>>()
  const out = new Output({
    format: flags.format === 'json' ? 'json' : 'text',
    quiet: flags.quiet === true,
    stdout: options.stdout,
    stderr: options.stderr,
  })
  try {
    const overSsh = options.env.KERNEL_OVER_SSH === '1'
    if (overSsh && (spec.overSsh === false || flags.host !== undefined))
      throw denied(
        spec.overSsh === false
          ? `${spec.name} does not run over SSH.`
          : 'Over SSH the daemon is the one that was asked.',
      )
    const host = typeof flags.host === 'string' ? flags.host : undefined
    const invocation: Invocation = {
      args: namedArguments(command),
      options: flags,
      client: new Client(parseAddress(host ?? options.env.KERNEL_HOST, options.env)),
      out,
      overSsh,
      signal: options.signal,
    }
    return (await spec.run(invocation)) ?? 0
  } catch (error) {
    return report(error, out, { trace: flags.trace === true, interrupted: options.signal.aborted })
  }
}

/** `<new-name>` is `newName`, as commander names options. */
function namedArguments(command: Command): Invocation['args'] {
  return Object.fromEntries(
    command.registeredArguments.map((argument, index) => [
      argument.name().replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase()),
      command.processedArgs[index] as string | string[] | undefined,
    ]),
  )
}

/** Prints a failure and answers its exit code. */
export function report(error: unknown, out: Output, { trace = false, interrupted = false } = {}): number {
  if (interrupted) return 130
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : exitCodes.usage.code
  const problem = problemOf(error)
  if (trace && error instanceof Error) out.error(error.stack ?? error.message)
  else out.error(problem?.message ?? (error instanceof Error ? error.message : String(error)), problem?.hint)
  return problem ? exitCodeOf(problem.kind) : exitCodes.failed.code
}
