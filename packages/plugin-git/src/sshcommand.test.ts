import { existsSync, mkdirSync, readFileSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { GitLab } from './testing/git-lab.ts'

const lab = new GitLab()
const kernelCommand = join(import.meta.dirname, '../../../apps/cli/src/index.ts')
const authorizedKeys = join(lab.dir, 'authorized_keys')

/** The real command for ssh-exec, the lab's for what that runs. */
const cli = `
const [verb] = process.argv.slice(2)
if (verb === 'ssh-exec') await (await import(${JSON.stringify(kernelCommand)})).main(process.argv.slice(2))
else await import('./cli.mjs')
`

beforeAll(async () => {
  lab.write('authorized_keys', 'ssh-ed25519 AAAA someone-else\n')
  await lab.prepare()
  const program = lab.write('both.mjs', cli)
  await lab.start({
    listen: undefined,
    cli: [process.execPath, '--conditions=source', program],
    host: `tcp://127.0.0.1:${lab.http.port}`,
    authorizedKeysFile: authorizedKeys,
  })
  await lab.keys.add('ann', readFileSync(join(lab.dir, 'id.pub'), 'utf8'))
  lab.write('sshd.sh', sshd, 0o755)
})
afterAll(() => lab[Symbol.asyncDispose]())

/** Does with a line of authorized_keys what sshd does: runs its command, by a shell, with the client's beside it. */
const sshd = `#!/bin/sh
for SSH_ORIGINAL_COMMAND; do :; done
export SSH_ORIGINAL_COMMAND
command=$(sed -n 's/^restrict,pty,command="\\(.*\\)" ssh-ed25519 .*/\\1/p' ${authorizedKeys} | sed 's/\\\\"/"/g')
exec sh -c "$command"
`
const forced = (command: string) => lab.run(join(lab.dir, 'sshd.sh'), ['host', command])

const systemSshd = existsSync('/usr/sbin/sshd')
// Set-up does not install it: it would open a port of the machine.
if (!systemSshd)
  console.log("sshcommand: the system's sshd itself is skipped, openssh-server is not installed")

describe("a key in the authorized_keys of the system's sshd", () => {
  it('has a line of its own, beside those of others', async () => {
    const text = readFileSync(authorizedKeys, 'utf8')
    expect(text).toMatch(/^ssh-ed25519 AAAA someone-else\n# Keys of kernel/)
    expect(text).toMatch(/^restrict,pty,command="env .*both\.mjs ssh-exec --key ann" ssh-ed25519 \S+ ann$/m)
    expect(statSync(authorizedKeys).mode & 0o777).toBe(0o644)
  })

  it('runs commands as the own SSH server does', async () => {
    expect(await forced("args 'two words' a&b")).toMatchObject({ code: 0, stdout: '["two words","a&b"]\n' })
    expect(await forced('fail 7')).toEqual({ code: 7, stdout: '', stderr: 'it failed\n' })
    const env = JSON.parse((await forced('env')).stdout)
    expect(env).toMatchObject({ KERNEL_OVER_SSH: '1', KERNEL_USER: 'ann' })
    expect((await forced('')).stdout).toContain('Hello ann')
  })

  it('pushes and clones', async () => {
    const big = Buffer.alloc(8_000_000)
    for (let n = 0; n < big.length; n += 4) big.writeUInt32LE((n * 2654435761) >>> 0, n)
    const rev = await lab.source('blog', { big })
    const git = (...args: string[]) =>
      lab.run('git', args, { cwd: 'blog', env: { GIT_SSH_COMMAND: join(lab.dir, 'sshd.sh') } })
    lab.deploy = async (branch) => branch.output.step('Building')
    const pushed = await git('push', 'kernel@host:blog', 'main')
    expect(pushed.stderr).toContain('-----> Building')
    expect(pushed.code).toBe(0)
    expect(lab.received.at(-1)).toMatchObject({ rev, user: 'ann' })
    expect((await git('clone', '-q', 'kernel@host:blog', '../cloned')).code).toBe(0)
    expect(readFileSync(join(lab.dir, 'cloned/big')).equals(big)).toBe(true)
  })

  it.runIf(systemSshd)("works with the system's sshd itself", async () => {
    await lab.run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(lab.dir, 'sshd_key')])
    if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true })
    const port = await freePort()
    const settings = [
      `ListenAddress 127.0.0.1:${port}`,
      `HostKey ${join(lab.dir, 'sshd_key')}`,
      `AuthorizedKeysFile ${authorizedKeys}`,
      'PidFile none',
      'StrictModes no',
      'UsePAM no',
      'PermitRootLogin yes',
      'AuthenticationMethods publickey',
    ]
    const config = lab.write('sshd_config', `${settings.join('\n')}\n`)
    const server = lab.spawn('/usr/sbin/sshd', ['-D', '-e', '-f', config])
    try {
      const ask = () =>
        lab.run('ssh', [
          ...lab.sshOptions,
          '-p',
          String(port),
          `${userInfo().username}@127.0.0.1`,
          'args',
          'x',
        ])
      await expect.poll(async () => (await ask()).stdout).toBe('["x"]\n')
    } finally {
      lab.kill(server)
    }
  })

  it('is refused once it is removed, though its line may still be there', async () => {
    const line = readFileSync(authorizedKeys, 'utf8')
    await lab.keys.remove('ann')
    expect(readFileSync(authorizedKeys, 'utf8')).toBe('ssh-ed25519 AAAA someone-else\n')
    lab.write('authorized_keys', line)
    const { code, stderr } = await forced('args x')
    expect(code).not.toBe(0)
    expect(stderr).toContain('is not let in any longer')
  })
})

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}
