/** ssh-exec, ssh-keys:authorized-keys: the way in by the system's own sshd. @module */
import { fileURLToPath } from 'node:url'
import { invalid, type SshKey } from '@kernel/contracts'
import { FrameStream } from '../client/frames.ts'
import { type CommandSpec, option } from '../command.ts'
import { attach, terminal } from './remote-process.ts'

export const sshExecCommands: CommandSpec[] = [
  {
    name: 'ssh-keys:authorized-keys',
    summary: "Print the keys as lines for a user's authorized_keys of the system's sshd",
    description:
      'Each key may run `kernel ssh-exec` and nothing else: git push and the commands of kernel then work over port 22, as user of that file. The user must be able to open the socket of the daemon.',
    examples: ['ssh-keys:authorized-keys > ~kernel/.ssh/authorized_keys'],
    overSsh: false,
    async run({ client, out }) {
      const keys = await client.json<SshKey[]>('sshKeysList')
      const { authorizedKeysLine } = await import('@kernel/plugin-git')
      const { address } = client.connection
      const command = {
        cli: [process.execPath, fileURLToPath(new URL('../bin/kernel.mjs', import.meta.url))],
        host: address.kind === 'unix' ? `unix://${address.path}` : undefined,
      }
      const lines = keys.map((key) => authorizedKeysLine(key, command))
      out.value(lines, () => {
        for (const line of lines) out.line(line)
      })
    },
  },
  {
    name: 'ssh-exec',
    summary: 'Run what an SSH client asked for: the forced command of authorized_keys',
    description: "Takes the client's command from SSH_ORIGINAL_COMMAND, as sshd gives it.",
    options: [['--key <name>', 'name of the key that was let in']],
    examples: ['ssh-exec --key ann'],
    overSsh: false,
    async run(call) {
      const key = option(call, 'key')
      if (!key) throw invalid('--key NAME is missing.', { hint: 'See kernel ssh-keys:authorized-keys' })
      const { SSH_ORIGINAL_COMMAND: command = '', GIT_PROTOCOL: protocol } = process.env
      const tty = terminal(process.stdin, process.stdout)
      const query = new URLSearchParams({ key, command })
      if (protocol) query.set('protocol', protocol)
      if (tty) {
        query.set('rows', String(tty.rows))
        query.set('columns', String(tty.columns))
      }
      const socket = await call.client.connection.upgrade('POST', `/git/ssh?${query}`, call.signal)
      return attach(call, new FrameStream(socket), tty)
    },
  },
]
