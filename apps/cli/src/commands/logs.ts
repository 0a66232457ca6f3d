/** logs, run, enter: the commands that stream. @module */
import { type AppLogLine, invalid } from '@kernel/contracts'
import { type CommandSpec, type Invocation, list, option, text } from '../command.ts'
import { runRemote } from './remote-process.ts'

export const streamCommands: CommandSpec[] = [
  {
    name: 'logs',
    args: '<app>',
    summary: "Show an app's log",
    options: [
      ['-n, --num <lines>', 'lines from the end (100)'],
      ['-t, --tail', 'go on as it is written'],
      ['-f, --follow', 'the same as --tail'],
      ['-p, --ps <process>', 'of one process (web.1) or type (web) only'],
    ],
    examples: ['logs blog', 'logs blog -f', 'logs blog -n 20 -p worker'],
    async run(call) {
      const num = option(call, 'num') ?? '100'
      if (!/^\d+$/.test(num)) throw invalid(`--num ${num} is no count of lines.`)
      const lines = call.client.lines<Omit<AppLogLine, 'data'> & { data: string }>('logs', {
        params: { app: text(call, 'app') },
        query: {
          process: option(call, 'ps'),
          tail: num,
          follow: call.options.follow === true || call.options.tail === true,
        },
        signal: call.signal,
      })
      for await (const line of lines) {
        if (call.out.json) call.out.line(JSON.stringify(line))
        else
          call.out.line(
            `${call.out.colours.dim(line.time)} ${label(call, line)} ${line.data.replace(/\n$/, '')}`,
          )
      }
    },
  },
  {
    name: 'run',
    args: '<app> <command...>',
    summary: "Run a one-off command in the app's current release",
    description: "With a terminal where yours is one. The exit code is the command's own.",
    options: [
      ['-e, --env <pair>', 'more environment, KEY=value (repeatable)', 'repeatable'],
      ['--no-tty', 'no terminal'],
    ],
    examples: ['run blog node --version', 'run blog sh', 'run -e DEBUG=1 blog -- npm run migrate'],
    passThrough: true,
    run: (call) =>
      runRemote(call, 'run', { env: JSON.stringify(environment(call)) }, commandOf(list(call, 'command'))),
  },
  {
    name: 'enter',
    args: '<app> [process] [command...]',
    summary: 'Run a command (a shell, where none is given) inside a running process',
    options: [['--no-tty', 'no terminal']],
    examples: ['enter blog', 'enter blog web.1', 'enter blog worker.1 ps'],
    passThrough: true,
    run: (call) => {
      const { process } = call.args
      const named = typeof process === 'string' && process !== '--'
      const command = commandOf(list(call, 'command'))
      return runRemote(
        call,
        'enter',
        { process: named ? process : undefined },
        command.length > 0 ? command : ['/bin/sh'],
      )
    },
  },
]

/** `run blog -- ls` and `run blog ls` are the same. */
function commandOf(words: string[]): string[] {
  return words[0] === '--' ? words.slice(1) : words
}

function label({ out }: Invocation, { process, stream }: { process: string; stream: number }): string {
  const { cyan, red } = out.colours
  return `${cyan(`app[${process}]:`)}${stream === 2 ? red('!') : ''}`
}

function environment(call: Invocation): Record<string, string> {
  const pairs = call.options.env
  const env: Record<string, string> = {}
  for (const pair of Array.isArray(pairs) ? pairs : []) {
    const at = pair.indexOf('=')
    if (at < 1) throw invalid('--env takes KEY=value.')
    env[pair.slice(0, at)] = pair.slice(at + 1)
  }
  return env
}
