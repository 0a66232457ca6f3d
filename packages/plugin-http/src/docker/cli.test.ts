import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, expect, it } from 'vitest'
import { startDockerServer } from '../testing/docker-server.ts'
import type { Program } from '../testing/fake-process.ts'

/** The real command line, in the versions that are installed. */
const clis = ['/usr/local/bin/docker', '/usr/bin/docker'].filter((path) => existsSync(path))

const programs: Record<string, Program> = {
  async echo({ args, write }) {
    write(1, `${args.join(' ')}\n`)
    return 0
  },
  async both({ write }) {
    write(1, 'out\n')
    write(2, 'err\n')
    return 3
  },
  async cat({ stdin, write }) {
    for await (const chunk of stdin) write(1, chunk)
    return 0
  },
  async sleep({ killed }) {
    await killed
    return 137
  },
}

function run(cli: string, host: string, args: string[], input?: Buffer, config = '/nonexistent') {
  return new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    const env = { PATH: process.env.PATH, HOME: '/nonexistent', DOCKER_HOST: host, DOCKER_CONFIG: config }
    const child = execFile(cli, args, { env, timeout: 20_000, maxBuffer: 64e6 }, (error, stdout, stderr) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, stdout, stderr }),
    )
    child.stdin?.end(input)
  })
}

describe.each(clis)('the docker command line %s', (cli) => {
  async function start() {
    const server = await startDockerServer(programs)
    return {
      ...server,
      docker: (args: string[], input?: Buffer) => run(cli, `unix://${server.socketPath}`, args, input),
    }
  }

  it('finds the daemon and its version', async () => {
    const { docker } = await start()
    const format = '{{.Server.APIVersion}} {{.Server.MinAPIVersion}} {{.Server.Version}}'
    expect(await docker(['version', '--format', format])).toMatchObject({
      code: 0,
      stdout: '1.51 1.24 0.1.0\n',
    })
    const info = await docker(['info', '--format', '{{.Swarm.LocalNodeState}} {{.OSType}} {{.Images}}'])
    expect(info).toMatchObject({ code: 0, stdout: 'inactive linux 1\n' })
  })

  it('runs a container to its end with output and exit code, and removes it', async () => {
    const { docker, fakes } = await start()
    expect(await docker(['run', '--rm', 'busybox', 'echo', 'hello', 'world'])).toEqual({
      code: 0,
      stdout: 'hello world\n',
      stderr: '',
    })
    expect(await docker(['run', '--name', 'b', 'busybox', 'both'])).toEqual({
      code: 3,
      stdout: 'out\n',
      stderr: 'err\n',
    })
    expect(await docker(['logs', '-t', 'b'])).toEqual({
      code: 0,
      stdout: '2026-01-01T00:00:00.000000001Z out\n',
      stderr: '2026-01-01T00:00:00.000000001Z err\n',
    })
    expect(await docker(['ps', '-a', '--format', '{{.Names}} {{.Status}}'])).toMatchObject({
      stdout: 'b Up 3 seconds\n',
    })
    expect(fakes.find('b').status).toBe('exited')
  })

  it('pipes stdin through to its end, binary and long', async () => {
    const { docker } = await start()
    const input = Buffer.from('0123456789abcdef\n'.repeat(200_000))
    const { code, stdout } = await docker(['run', '-i', '--rm', 'busybox', 'cat'], input)
    expect([code, stdout.length, stdout === input.toString()]).toEqual([0, input.length, true])
  })

  it('says what could not be started', async () => {
    const { docker } = await start()
    const { code, stderr } = await docker(['run', '--rm', 'busybox', 'nothing'])
    expect(stderr).toContain('executable file not found in $PATH')
    expect(code).toBe(127)
  })

  it('runs commands in a container', async () => {
    const { docker } = await start()
    expect(await docker(['run', '-d', '--name', 's', 'busybox', 'sleep'])).toMatchObject({ code: 0 })
    expect(await docker(['exec', 's', 'both'])).toEqual({ code: 3, stdout: 'out\n', stderr: 'err\n' })
    expect(await docker(['exec', '-i', 's', 'cat'], Buffer.from('typed'))).toMatchObject({
      code: 0,
      stdout: 'typed',
    })
    expect(await docker(['exec', '-d', 's', 'echo', 'x'])).toMatchObject({ code: 0, stdout: '' })
    const missing = await docker(['exec', 's', 'nothing'])
    expect(missing).toMatchObject({ code: 127, stdout: expect.stringContaining('executable file not found') })
    expect(await docker(['stop', 's'])).toMatchObject({ code: 0, stdout: 's\n' })
    expect(await docker(['stop', 's'])).toMatchObject({ code: 0 })
    expect((await docker(['exec', 's', 'echo'])).stderr).toContain('is not running')
  })

  it('walks all kinds to inspect what does not exist', async () => {
    const { docker } = await start()
    const { code, stderr } = await docker(['inspect', 'ghost'])
    expect([code, stderr]).toEqual([1, expect.stringMatching(/[Nn]o such object: ghost/)])
    expect((await docker(['inspect', 'busybox', '--format', '{{.Architecture}}'])).stdout).toBe('amd64\n')
  })

  it('shows events as they happen', async () => {
    const { socketPath, publish, subscribers } = await start()
    const env = { PATH: process.env.PATH, HOME: '/nonexistent', DOCKER_HOST: `unix://${socketPath}` }
    const child = spawn(
      cli,
      ['events', '--format', '{{.Action}} {{.TimeNano}}', '--filter', 'type=container'],
      { env },
    )
    const line = once(createInterface(child.stdout), 'line')
    while (subscribers.size === 0) await new Promise((resolve) => setTimeout(resolve, 10))
    publish({ Type: 'app', Action: 'create', Actor: { ID: 'a', Attributes: {} } })
    publish({ Type: 'container', Action: 'start', Actor: { ID: 'c', Attributes: { image: 'busybox' } } })
    expect(await line).toEqual(['start 1700000000123456789'])
    child.kill()
    while (subscribers.size > 0) await new Promise((resolve) => setTimeout(resolve, 10))
  })

  it('comes in over TCP with a token among its headers', async () => {
    const { url, tokens, dir } = await start()
    const { token } = await tokens.create('laptop')
    const host = url.replace('http:', 'tcp:')
    const refused = await run(cli, host, ['ps'])
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('This address needs a token')])
    writeFileSync(
      join(dir, 'config.json'),
      JSON.stringify({ HttpHeaders: { Authorization: `Bearer ${token}` } }),
    )
    const ran = await run(cli, host, ['run', '-i', '--rm', 'busybox', 'cat'], Buffer.from('over tcp'), dir)
    expect(ran).toEqual({ code: 0, stdout: 'over tcp', stderr: '' })
  })
})
