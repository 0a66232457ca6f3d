/** docs/reference/cli.md, from the same table of commands as the program. @module */
import { Option } from 'commander'
import type { CommandSpec } from '../command.ts'
import { commandGroups } from '../commands/index.ts'
import { passOnExitCode } from '../exit-codes.ts'
import { optionsOf } from '../options.ts'
import { exitCodeTable, generated, table } from './markdown.ts'

const everywhere = [
  new Option('--format <format>', '`text` or `json`. Streams are one JSON object a line'),
  new Option('-q, --quiet', 'print less'),
  new Option('--trace', 'on a failure, say where in the program'),
  new Option('-h, --help', 'show how the command is used'),
]

const environment = [
  ['`KERNEL_HOST`', 'the daemon to ask, where `--host` does not say; a daemon started with it listens there'],
  ['`KERNEL_TOKEN`', 'the token for a daemon over TCP (`tokens:create`)'],
  ['`NO_COLOR`', 'no colours, on a terminal as well'],
]

export function renderCommands(): string {
  return [
    generated,
    '# The `kernel` command',
    'One program is the daemon and its client. `kernel help COMMAND` says what stands here.',
    '## Every command',
    optionTable(everywhere),
    'The daemon is found by `--host ADDRESS`, then `KERNEL_HOST`, then the socket of this user: `unix:///run/kernel/kernel.sock` for root, `$XDG_RUNTIME_DIR/kernel/kernel.sock` for others. An address is `unix:///PATH`, `tcp://HOST:PORT` or `https://HOST:PORT`.',
    table(['Variable', 'What it is for'], environment),
    'The commands work over SSH as well, but for those that say otherwise: `ssh -p 2222 kernel@HOST apps:list`.',
    '## Exit codes',
    exitCodeTable(),
    `${passOnExitCode.map((name) => `\`${name}\``).join(', ')} end with the code of the command they ran.`,
    ...commandGroups.flatMap(({ title, commands }) => [
      `## ${title.replace(/:$/, '')}`,
      ...commands.map(renderCommand),
    ]),
  ]
    .join('\n\n')
    .concat('\n')
}

function renderCommand(spec: CommandSpec): string {
  const options = optionsOf(spec).filter((option) => spec.name === 'daemon' || option.long !== '--host')
  return [
    `### ${spec.name}`,
    `${spec.summary}.${spec.description ? ` ${spec.description.replace(/\s+/g, ' ')}` : ''}`,
    ['```sh', ...spec.examples.map((line) => `kernel ${line}`), '```'].join('\n'),
    `Usage: \`kernel ${[spec.name, options.length > 0 ? '[options]' : '', spec.args].filter(Boolean).join(' ')}\`${spec.overSsh === false ? '. Not over SSH.' : ''}`,
    ...(options.length > 0 ? [optionTable(options)] : []),
  ].join('\n\n')
}

const optionTable = (options: Option[]) =>
  table(
    ['Flag', 'What it does'],
    options.map(({ flags, description }) => [`\`${flags}\``, description]),
  )
