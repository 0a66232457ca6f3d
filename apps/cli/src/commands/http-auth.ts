/** http-auth:* */
import { invalid, type SiteReport } from '@kernel/contracts'
import { type CommandSpec, type Invocation, text } from '../command.ts'
import { askSecret } from '../output/ask-secret.ts'
import { appsNamed } from './scope.ts'
import { readInput } from './text-input.ts'

const app = (call: Invocation) => ({ app: text(call, 'app') })
const user = (call: Invocation) => ({ ...app(call), user: text(call, 'user') })

export const httpAuthCommands: CommandSpec[] = [
  {
    name: 'http-auth:enable',
    args: '<app> [user] [password]',
    summary: 'Ask all visitors for a name and a password',
    description:
      'HTTP Basic authentication: without TLS, passwords travel in the clear. The app gets the Authorization header as well. With a user, that one is added first, as by http-auth:add-user.',
    examples: ['http-auth:enable blog', 'http-auth:enable blog ann < password.txt'],
    async run(call) {
      if (call.args.user !== undefined) await addUser(call)
      await call.client.send('authEnable', { params: app(call) })
    },
  },
  {
    name: 'http-auth:disable',
    args: '<app>',
    summary: 'Let everybody in; the users are kept',
    examples: ['http-auth:disable blog'],
    run: (call) => call.client.send('authDisable', { params: app(call) }),
  },
  {
    name: 'http-auth:report',
    args: '[app]',
    summary: 'Show which apps ask for passwords, and of whom',
    examples: ['http-auth:report blog'],
    async run(call) {
      const reports = await Promise.all(
        (await appsNamed(call)).map(async (name) => ({
          app: name,
          ...(await call.client.json<SiteReport>('siteReport', { params: { app: name } })).auth,
        })),
      )
      call.out.value(call.args.app ? reports[0] : reports, () => {
        for (const { app: name, enabled, users } of reports)
          call.out.report(`${name} http-auth information`, { Enabled: enabled, Users: users.join(' ') })
      })
    },
  },
  {
    name: 'http-auth:add-user',
    args: '<app> <user> [password]',
    summary: 'Add a user, or give one a new password',
    description:
      'Without the password it is asked for, or read from standard input: on the command line others can see it. Only a hash is kept.',
    examples: ['http-auth:add-user blog ann', 'http-auth:add-user blog ann < password.txt'],
    run: addUser,
  },
  {
    name: 'http-auth:remove-user',
    args: '<app> <user>',
    summary: 'Remove a user',
    examples: ['http-auth:remove-user blog ann'],
    run: (call) => call.client.send('authRemoveUser', { params: user(call) }),
  },
]

async function addUser(call: Invocation): Promise<void> {
  const password = await passwordOf(call)
  await call.client.send('authSetUser', { params: user(call), body: { password } })
}

async function passwordOf(call: Invocation): Promise<string> {
  if (typeof call.args.password === 'string') return call.args.password
  if (!process.stdin.isTTY) {
    const input = await readInput(call, '-', { what: 'password', longest: 4096 })
    return input.toString('utf8').replace(/\r?\n$/, '')
  }
  const first = await askSecret(`Password of ${text(call, 'user')}: `)
  if ((await askSecret('Once more: ')) !== first) throw invalid('The two are not the same.')
  return first
}
