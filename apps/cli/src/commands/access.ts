/** ssh-keys:*, tokens:* */
import type { SshKey, TokenInfo } from '@kernel/contracts'
import { type CommandSpec, type Invocation, text } from '../command.ts'
import { ago } from '../output/format.ts'
import { readInput } from './text-input.ts'

export const accessCommands: CommandSpec[] = [
  {
    name: 'ssh-keys:list',
    summary: 'List the SSH keys that may push and run commands',
    examples: ['ssh-keys:list'],
    async run({ client, out }) {
      const keys = await client.json<SshKey[]>('sshKeysList')
      out.value(keys, () =>
        out.table(
          ['Name', 'Fingerprint', 'Added'],
          keys.map((key) => [key.name, key.fingerprint, ago(key.added)]),
        ),
      )
    },
  },
  {
    name: 'ssh-keys:add',
    args: '<name> [file]',
    summary: 'Let a public key in; from a file, or from standard input',
    examples: ['ssh-keys:add ann ~/.ssh/id_ed25519.pub', 'ssh-keys:add ann < key.pub'],
    async run(call) {
      const publicKey = (await keyText(call)).trim()
      const key = await call.client.json<SshKey>('sshKeysAdd', {
        body: { name: text(call, 'name'), publicKey },
      })
      call.out.value(key, () => call.out.line(key.fingerprint))
    },
  },
  {
    name: 'ssh-keys:remove',
    args: '<name>',
    summary: 'Let a key in no longer; by name or fingerprint',
    examples: ['ssh-keys:remove ann'],
    run: (call) => call.client.send('sshKeysRemove', { params: { key: text(call, 'name') } }),
  },
  {
    name: 'tokens:list',
    summary: 'List the tokens for the API, the dashboard and pushes over HTTP',
    examples: ['tokens:list'],
    async run({ client, out }) {
      const tokens = await client.json<TokenInfo[]>('tokensList')
      out.value(tokens, () =>
        out.table(
          ['Id', 'Name', 'Created', 'Last used'],
          tokens.map((token) => [token.id, token.name, ago(token.created), ago(token.lastUsed)]),
        ),
      )
    },
  },
  {
    name: 'tokens:create',
    args: '<name>',
    summary: 'Create a token; it is shown this once',
    examples: ['tokens:create ci'],
    async run(call) {
      const token = await call.client.json<TokenInfo & { token: string }>('tokensCreate', {
        body: { name: text(call, 'name') },
      })
      call.out.value(token, () => call.out.line(token.token))
    },
  },
  {
    name: 'tokens:revoke',
    args: '<token>',
    summary: 'Revoke a token by id or name',
    examples: ['tokens:revoke ci'],
    run: (call) => call.client.send('tokensRevoke', { params: { token: text(call, 'token') } }),
  },
]

async function keyText(call: Invocation): Promise<string> {
  return (await readInput(call, call.args.file, { what: 'public key', longest: 65_536 })).toString('utf8')
}
