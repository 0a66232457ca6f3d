/** Completion in the shell, from the same table of commands as everything else. @module */
import root from '@bomb.sh/tab'
import type { AppSummary } from '@kernel/contracts'
import { Argument, type Option } from 'commander'
import { parseAddress } from './client/address.ts'
import { Client } from './client/client.ts'
import type { CommandSpec } from './command.ts'
import { commandGroups } from './commands/index.ts'
import { shells } from './completion-script.ts'
import { optionsOf } from './options.ts'

/** Who presses Tab does not wait for a daemon that is slow. */
const patienceMs = 400

/** Answers the shell's question: the words behind `kernel`, the last of them unfinished. Prints nothing of errors. */
export async function answerCompletion(words: string[], env: NodeJS.ProcessEnv): Promise<void> {
  const spec = allCommands().find(({ name }) => name === words[0])
  const apps = spec !== undefined && takesApp(spec) && words.length > 1 ? await appNames(env) : []
  for (const command of allCommands()) describe(command, apps)
  describe({ name: 'help', args: '[command]', summary: 'Show how a command is used' }, [])
  root.parse(words)
}

const allCommands = () => commandGroups.flatMap(({ commands }) => commands)
const argumentsOf = ({ args = '' }: Pick<CommandSpec, 'args'>) =>
  args.split(' ').flatMap((word) => (word === '' ? [] : [new Argument(word)]))
const takesApp = (spec: CommandSpec) => argumentsOf(spec).some((argument) => argument.name() === 'app')

function describe(spec: Pick<CommandSpec, 'name' | 'args' | 'summary' | 'options'>, apps: string[]): void {
  const command = root.command(spec.name, spec.summary)
  const choices: Record<string, string[]> = {
    app: apps,
    shell: shells,
    command: spec.name === 'help' ? allCommands().map(({ name }) => name) : [],
  }
  for (const argument of argumentsOf(spec)) {
    const offer = (complete: (value: string, description: string) => void) => {
      for (const choice of choices[argument.name()] ?? []) complete(choice, '')
    }
    command.argument(argument.name(), offer, argument.variadic)
  }
  for (const option of optionsOf(spec)) addOption(command, option)
  command.option('format', 'how to print', (complete) => {
    for (const format of ['text', 'json']) complete(format, '')
  })
  command.option('quiet', 'print less', 'q')
  command.option('help', 'show how the command is used', 'h')
}

function addOption(command: ReturnType<typeof root.command>, option: Option): void {
  const name = option.long?.slice(2) ?? option.attributeName()
  const short = option.short?.slice(1)
  if (option.required || option.optional) command.option(name, option.description, () => {}, short)
  else if (short) command.option(name, option.description, short)
  else command.option(name, option.description)
}

async function appNames(env: NodeJS.ProcessEnv): Promise<string[]> {
  try {
    const client = new Client(parseAddress(env.KERNEL_HOST, env))
    const apps = await client.json<AppSummary[]>('appsList', { signal: AbortSignal.timeout(patienceMs) })
    return apps.map(({ name }) => name)
  } catch {
    return []
  }
}
