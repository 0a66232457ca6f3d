/** config:* */
import { type DeployLine, invalid } from '@kernel/contracts'
import { type CommandSpec, type Invocation, list, text } from '../command.ts'

const noRestart: [string, string] = [
  '--no-restart',
  'keep the processes as they are; the next deploy or restart takes it in',
]

export const configCommands: CommandSpec[] = [
  {
    name: 'config:show',
    args: '<app>',
    summary: "Show an app's environment (`global` for what all apps get)",
    examples: ['config:show blog', 'config:show blog --format json', 'config:show global'],
    async run(call) {
      const config = await client(call)
      call.out.value(config, () => call.out.report(`${text(call, 'app')} env vars`, config))
    },
  },
  {
    name: 'config:get',
    args: '<app> <key>',
    summary: 'Print one value; exit 3 where it is not set',
    examples: ['config:get blog DATABASE_URL'],
    async run(call) {
      const value = (await client(call))[text(call, 'key')]
      if (value === undefined) return 3
      call.out.value(value, () => call.out.line(value))
    },
  },
  {
    name: 'config:keys',
    args: '<app>',
    summary: 'Print the names',
    examples: ['config:keys blog'],
    async run(call) {
      const keys = Object.keys(await client(call))
      call.out.value(keys, () => {
        for (const key of keys) call.out.line(key)
      })
    },
  },
  {
    name: 'config:export',
    args: '<app>',
    summary: 'Print the environment for a shell to read',
    options: [['--no-export', 'lines of KEY=value, without `export`']],
    examples: ['config:export blog', 'config:export blog --no-export > blog.env'],
    async run(call) {
      const prefix = call.options.export === false ? '' : 'export '
      const config = await client(call)
      call.out.value(config, () => {
        for (const [key, value] of Object.entries(config))
          call.out.line(`${prefix}${key}='${value.replaceAll("'", `'\\''`)}'`)
      })
    },
  },
  {
    name: 'config:set',
    args: '<app> <pairs...>',
    summary: 'Set values and restart the app',
    description: 'Values are kept out of logs. `--encoded` takes them in base64, for those with line ends.',
    options: [noRestart, ['--encoded', 'values are base64']],
    examples: [
      'config:set blog NODE_ENV=production',
      'config:set --no-restart blog A=1 B=2',
      'config:set global TZ=UTC',
    ],
    async run(call) {
      const set: Record<string, string> = {}
      for (const pair of list(call, 'pairs')) {
        const at = pair.indexOf('=')
        if (at < 1)
          throw invalid(`${at < 0 ? 'An argument' : 'A pair'} is not of the form KEY=value.`, {
            hint: 'kernel config:set APP KEY=value ...',
          })
        const value = pair.slice(at + 1)
        set[pair.slice(0, at)] = call.options.encoded ? Buffer.from(value, 'base64').toString('utf8') : value
      }
      await update(call, { set })
    },
  },
  {
    name: 'config:unset',
    args: '<app> <keys...>',
    summary: 'Take values away and restart the app',
    options: [noRestart],
    examples: ['config:unset blog DEBUG'],
    run: (call) => update(call, { unset: list(call, 'keys') }),
  },
  {
    name: 'config:clear',
    args: '<app>',
    summary: 'Take all values away and restart the app',
    options: [noRestart],
    examples: ['config:clear blog --no-restart'],
    async run(call) {
      const keys = Object.keys(await client(call))
      if (keys.length > 0) await update(call, { unset: keys })
    },
  },
]

function client(call: Invocation): Promise<Record<string, string>> {
  return call.client.json('configShow', { params: { app: text(call, 'app') } })
}

async function update(
  call: Invocation,
  change: { set?: Record<string, string>; unset?: string[] },
): Promise<void> {
  const body = { ...change, restart: call.options.restart !== false }
  await call.client.operate<DeployLine>(
    'configUpdate',
    { params: { app: text(call, 'app') }, body },
    (line) => call.out.deploy(line),
  )
  const names = [...Object.keys(change.set ?? {}), ...(change.unset ?? [])]
  if (!call.out.json) call.out.deploy({ kind: 'step', text: `${text(call, 'app')}: ${names.join(' ')}` })
}
