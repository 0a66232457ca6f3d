import { once } from 'node:events'
import { readFileSync, statSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { denied, userAuth } from '@kernel/contracts'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { GitLab } from './testing/git-lab.ts'

const lab = new GitLab()
beforeAll(async () => {
  await lab.start()
  await lab.keys.add('ann', readFileSync(join(lab.dir, 'id.pub'), 'utf8'))
})
afterAll(() => lab[Symbol.asyncDispose]())

describe('who comes in over SSH', () => {
  it('keeps its host key', async () => {
    const file = join(lab.dataDir, 'ssh/host_ed25519')
    expect(statSync(file).mode & 0o777).toBe(0o600)
    const key = readFileSync(file, 'utf8')
    const { stdout } = await lab.run('ssh-keygen', ['-l', '-f', file])
    const before = await lab.keys.address()
    expect(stdout).toContain(before?.hostKeyFingerprint)
    expect(before).toMatchObject({ host: '127.0.0.1', port: lab.sshPort, user: 'kernel' })
    await lab.plugin.stop()
    await lab.start()
    expect(readFileSync(file, 'utf8')).toBe(key)
    expect((await lab.ssh(['apps:list'])).stdout).toBe('ran apps:list\n')
  })

  it('refuses a key that is not let in, and passwords', async () => {
    await lab.run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(lab.dir, 'other')])
    const other = ['-o', `IdentityFile=${join(lab.dir, 'other')}`]
    const args = lab.sshOptions.map((each) => each.replace(join(lab.dir, 'id'), join(lab.dir, 'other')))
    const to = ['-p', String(lab.sshPort), 'kernel@127.0.0.1', 'apps:list']
    const refused = await lab.run('ssh', [...args, ...other, ...to])
    expect(refused.stderr).toContain('Permission denied (publickey)')
    expect(refused.code).toBe(255)
    const password = ['PreferredAuthentications=password,keyboard-interactive', 'NumberOfPasswordPrompts=1']
    const asked = await lab.run('ssh', [
      ...args.filter((_, n) => !/Preferred/.test(`${args[n]}${args[n + 1] ?? ''}`)),
      ...password.flatMap((each) => ['-o', each]),
      ...to,
    ])
    expect(asked.stderr).toContain('Permission denied (publickey)')
  })

  it.each([
    ['rsa', ['-b', '2048']],
    ['ecdsa', ['-b', '256']],
    ['ecdsa', ['-b', '521']],
  ])('lets in keys of the type %s %j, and no longer when they are removed', async (type, bits) => {
    const name = `${type}${bits[1]}`
    const file = join(lab.dir, name)
    await lab.run('ssh-keygen', ['-q', '-t', type, ...bits, '-N', '', '-f', file])
    const args = lab.sshOptions.map((each) => each.replace(join(lab.dir, 'id'), file))
    const run = () => lab.run('ssh', [...args, '-p', String(lab.sshPort), 'dokku@127.0.0.1', 'env'])
    const key = await lab.keys.add(name, readFileSync(`${file}.pub`, 'utf8'))
    expect((await lab.run('ssh-keygen', ['-l', '-f', file])).stdout).toContain(key.fingerprint)
    expect(JSON.parse((await run()).stdout).KERNEL_USER).toBe(name)
    await lab.keys.remove(key.fingerprint)
    expect((await run()).code).toBe(255)
  })

  it.each([
    ['Ciphers', 'aes256-gcm@openssh.com'],
    ['Ciphers', 'chacha20-poly1305@openssh.com'],
    ['Ciphers', 'aes128-ctr'],
    ['KexAlgorithms', 'curve25519-sha256'],
    ['KexAlgorithms', 'ecdh-sha2-nistp384'],
  ])('speaks %s %s', async (option, value) => {
    const { stdout } = await lab.ssh(['args', 'x'], { flags: ['-o', `${option}=${value}`] })
    expect(stdout).toBe('["x"]\n')
  })

  it('speaks nothing that is weak', async () => {
    for (const weak of [
      'Ciphers=aes128-cbc',
      'MACs=hmac-sha1',
      'KexAlgorithms=diffie-hellman-group14-sha1',
    ]) {
      const flags = ['-o', weak, ...(weak.startsWith('MACs') ? ['-o', 'Ciphers=aes128-ctr'] : [])]
      expect((await lab.ssh(['args'], { flags })).code).toBe(255)
    }
  })

  it('lets an address have ten connections that have not said who they are', async () => {
    const sockets = Array.from({ length: 12 }, () => connect(lab.sshPort, '127.0.0.1'))
    await Promise.all(sockets.map((socket) => once(socket, 'connect')))
    const closed = sockets.filter((socket) => {
      socket.resume().on('error', () => {})
      return socket
    })
    await expect.poll(() => closed.filter((socket) => socket.closed).length).toBe(2)
    for (const socket of sockets) socket.destroy()
    await expect.poll(async () => (await lab.ssh(['args'])).code).toBe(0)
  })
})

describe('a command over SSH', () => {
  it('runs as the local one would, with nothing of the daemon in its environment', async () => {
    process.env.SECRET = 'of the daemon'
    const { code, stdout, stderr } = await lab.ssh(['env'])
    delete process.env.SECRET
    expect([code, stderr]).toEqual([0, ''])
    expect(JSON.parse(stdout)).toEqual({
      KERNEL_HOST: 'unix:///kernel.sock',
      KERNEL_OVER_SSH: '1',
      KERNEL_USER: 'ann',
    })
  })

  it('hands on words, input, errors and the exit code', async () => {
    const words = ['kernel', 'args', 'a=1&b=2', '"two words"', "'$HOME'", '*', '>x']
    expect(JSON.parse((await lab.ssh(words)).stdout)).toEqual(['a=1&b=2', 'two words', '$HOME', '*', '>x'])
    const input = Buffer.alloc(3_000_000, 'some input\n')
    expect((await lab.ssh(['cat'], { input })).stdout).toBe(input.toString())
    expect(await lab.ssh(['fail', '7'])).toEqual({ code: 7, stdout: '', stderr: 'it failed\n' })
    const open = await lab.ssh(['args', "'x"])
    expect([open.code, open.stderr]).toEqual([1, expect.stringContaining("has a ' that is not closed")])
  })

  it('keeps both streams whole, where both are longer than the window', async () => {
    const { stdout, stderr, code } = await lab.ssh(['flood', '24'])
    expect(code).toBe(0)
    expect(stdout.length).toBe(24 << 20)
    expect(/^o*$/.test(stdout)).toBe(true)
    expect(stderr.length).toBe(6 << 20)
  })

  it('ends where its client goes away', async () => {
    const args = [...lab.sshOptions, '-p', String(lab.sshPort), 'kernel@127.0.0.1', 'wait']
    const client = lab.spawn('ssh', args)
    const [line] = (await once(client.stdout!.setEncoding('utf8'), 'data')) as [string]
    const pid = Number(/waiting (\d+)/.exec(line)?.[1])
    process.kill(pid, 0)
    lab.kill(client)
    const isGone = () => {
      try {
        process.kill(pid, 0)
        return false
      } catch {
        return true
      }
    }
    await expect.poll(isGone).toBe(true)
  })

  it('asks user-auth', async () => {
    lab.plugin.on(userAuth, ({ user, command }) => {
      if (command[0] === 'apps:destroy') throw denied(`${user} may not destroy.`, { hint: 'Ask somebody.' })
    })
    expect(await lab.ssh(['apps:destroy', 'x'])).toEqual({
      code: 1,
      stdout: '',
      stderr: ' !     ann may not destroy.\n       Ask somebody.\n',
    })
  })

  it('has a terminal where one was asked for', async () => {
    const flags = ['-tt']
    const command = 'stty rows 40 cols 100; exec ssh "$@"'
    const args = [...lab.sshOptions, ...flags, '-p', String(lab.sshPort), 'kernel@127.0.0.1']
    const inTerminal = (...words: string[]) =>
      lab.run('script', ['-qec', quoted(['sh', '-c', command, 'sh', ...args, ...words]), '/dev/null'])
    const { stdout } = await inTerminal('env')
    expect(stdout).toContain('"KERNEL_SSH_TTY":"40,100"')
    expect(stdout).toMatch(/\}\r\n/)
  })

  it('hears of a new size, and of ^C', async () => {
    const args = [...lab.sshOptions, '-tt', '-p', String(lab.sshPort), 'kernel@127.0.0.1']
    const resize = 'n=0; while kill -0 $$; do n=$((n + 1)); stty rows $((100 + n)) cols 120; sleep 0.1; done'
    const script = `stty rows 40 cols 100; (${resize}) < /dev/tty 2> /dev/null & ssh ${args.join(' ')} sizes`
    const sized = await lab.run('script', ['-qec', quoted(['bash', '-c', script]), '/dev/null'])
    expect(sized.stdout).toMatch(/^\d+,1[02]0\r\n/m)
    expect(sized.stdout).toMatch(/^\{"rows":1\d\d,"columns":120\}\r\n/m)

    const client = lab.spawn('ssh', [...args, 'wait'])
    const result = finishedOpen(client)
    await expect.poll(() => result.text()).toContain('waiting')
    // One after the other: what a program writes may come in the middle of an echo, on any terminal.
    client.stdin!.write('typed')
    await expect.poll(() => result.text()).toContain('typed')
    client.stdin!.write('\x03')
    expect(await result.code).toBe(130)
    expect(result.text()).toContain('^C\r\n')
    expect(result.text()).toContain('interrupted\r\n')
  })

  it('greets who asks for a shell, and offers nothing else', async () => {
    const shell = await lab.run('ssh', [
      ...lab.sshOptions,
      '-T',
      '-p',
      String(lab.sshPort),
      'kernel@127.0.0.1',
    ])
    expect(shell.code).toBe(0)
    expect(shell.stdout).toContain('Hello ann')
    expect(shell.stdout).toContain('apps:list')
    const sftp = await lab.ssh(['sftp'], { flags: ['-s'] })
    expect(sftp.code).toBe(255)
    const forward = await lab.run('ssh', [
      ...lab.sshOptions,
      '-W',
      '127.0.0.1:1',
      '-p',
      String(lab.sshPort),
      'kernel@127.0.0.1',
    ])
    expect(forward.stderr).toContain('forwarding failed')
  })
})

const quoted = (words: string[]) => words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ')

/** What a program prints while its input stays open. */
function finishedOpen(child: ReturnType<GitLab['spawn']>) {
  let all = ''
  child.stdout!.setEncoding('utf8').on('data', (text) => {
    all += text
  })
  child.stderr!.setEncoding('utf8').on('data', (text) => {
    all += text
  })
  return { text: () => all, code: once(child, 'close').then(([code]) => code as number) }
}
