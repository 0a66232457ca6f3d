import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { PassThrough } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import Docker from 'dockerode'
import { describe, expect, it } from 'vitest'
import { dockerCommand } from './harness/docker.ts'
import { lacks, lacksContainers } from './harness/host.ts'
import { eventually, until } from './harness/until.ts'
import { image, useDocker } from './harness/use-docker.ts'

const lacking = lacksContainers('the Docker API') || lacks('the docker command line', 'docker', 'busybox')

describe.skipIf(lacking)('the docker command line', () => {
  const { lab, docker, ok } = useDocker()

  it('finds the engine', async () => {
    const [api, os] = (await ok(['version', '--format', '{{.Server.APIVersion}} {{.Server.Os}}'])).split(' ')
    expect([Number(api) >= 1.44, os]).toEqual([true, 'linux'])
    expect(
      await ok(['info', '--format', '{{.ServerVersion}} {{.Swarm.LocalNodeState}} {{.DockerRootDir}}']),
    ).toMatch(new RegExp(` inactive ${lab.daemon.dataDir}$`))
    expect(await ok(['images', '--format', '{{.Repository}}:{{.Tag}}'])).toContain(image)
    expect(await ok(['ps', '-q'])).toBe('')
  })

  it('runs a container to its end and removes it', async () => {
    expect(await docker('run', '--rm', image, 'echo', 'hi')).toMatchObject({
      code: 0,
      stdout: 'hi\n',
      stderr: '',
    })
    const both = await docker('run', '--rm', image, 'sh', '-c', 'echo out; echo err >&2; exit 3')
    expect(both).toMatchObject({ code: 3, stdout: 'out\n', stderr: 'err\n' })
    expect(await ok(['ps', '-aq'])).toBe('')
  })

  it('follows the log of a container in the background, and looks into it', async () => {
    const id = await ok([
      ...['run', '-d', '--name', 'ticker', '--label', 'team=sales', image],
      ...['sh', '-c', 'n=0; while [ $n -lt 200 ]; do n=$((n+1)); echo tick $n; sleep 0.05; done'],
    ])
    expect(id).toMatch(/^[0-9a-f]{64}$/)
    const follower = spawn(dockerCommand(), ['logs', '-f', 'ticker'], { env: lab.daemon.env })
    const seen: string[] = []
    createInterface({ input: follower.stdout }).on('line', (line) => seen.push(line))
    await until('ten lines', () => seen.length >= 10)
    const ended = once(follower, 'close')
    await ok(['stop', '-t', '0', 'ticker'])
    await ended
    expect(seen.slice(0, 10)).toEqual(Array.from({ length: 10 }, (_, n) => `tick ${n + 1}`))
    expect((await ok(['logs', 'ticker'])).split('\n')).toEqual(seen)
    expect(await ok(['logs', '--tail', '1', '-t', 'ticker'])).toMatch(
      /^\d{4}-\d\d-\d\dT[\d:]+\.\d{9}Z tick \d+$/,
    )
    const format = '{{.Name}} {{.State.Status}} {{.Config.Labels.team}} {{.Path}} {{index .Args 0}}'
    expect(await ok(['inspect', '-f', format, id.slice(0, 12)])).toBe('/ticker exited sales sh -c')
    expect(await ok(['ps', '-a', '--filter', 'label=team=sales', '--format', '{{.Names}}'])).toBe('ticker')
    expect(await ok(['rm', 'ticker'])).toBe('ticker')
    expect((await docker('inspect', 'ticker')).stderr).toMatch(/[Nn]o such object: ticker/)
  })

  it('runs commands in a container', async () => {
    await ok(['run', '-d', '--name', 'host', image, 'sleep', '600'])
    expect(await docker('exec', 'host', 'sh', '-c', 'echo out; echo err >&2; exit 5')).toMatchObject({
      code: 5,
      stdout: 'out\n',
      stderr: 'err\n',
    })
    const input = 'input\n'.repeat(100_000)
    expect((await ok(['exec', '-i', 'host', 'cat'], { input })) === input.trimEnd()).toBe(true)
    expect(
      await ok([
        'exec',
        '-e',
        'A=b c',
        '-w',
        '/tmp',
        '-u',
        'ann',
        'host',
        'sh',
        '-c',
        'echo $A; pwd; id -un',
      ]),
    ).toBe('b c\n/tmp\nann')
    expect((await docker('exec', 'host', 'no-such-program')).code).toBe(127)
    expect((await docker('exec', 'host', '/etc/passwd')).code).toBe(126)
    expect((await docker('exec', 'nowhere', 'true')).stderr).toContain('No such container: nowhere')
    const terminal = await lab.daemon.inTerminal(
      `stty rows 24 cols 77; ${dockerCommand()} exec -it host sh -c 'tty; stty size'`,
    )
    expect(terminal.stdout).toMatch(/\/dev\/pts\/\d+\r\n24 77\r\n/)
    expect(await ok(['top', 'host'])).toMatch(/PID[\s\S]*sleep 600/)
    expect(
      await ok(['stats', '--no-stream', '--format', '{{.Name}} {{.PIDs}} {{.MemUsage}}', 'host']),
    ).toMatch(/^host \d+ [\d.]+[KMG]?i?B \/ /)
    expect(await ok(['kill', '-s', 'KILL', 'host'])).toBe('host')
    expect(await ok(['wait', 'host'])).toBe('137')
    expect((await docker('exec', 'host', 'true')).stderr).toMatch(/is not running/)
    await ok(['start', 'host'])
    expect(await ok(['inspect', '-f', '{{.State.Running}}', 'host'])).toBe('true')
    expect((await docker('rm', 'host')).stderr).toMatch(/container is running|cannot remove/)
    await ok(['rm', '-f', 'host'])
  })

  it('says what could not be started, by its exit code', async () => {
    const missing = await docker('run', '--rm', image, 'no-such-program')
    expect([missing.code, missing.stderr]).toEqual([
      127,
      expect.stringContaining('"no-such-program": executable file not found in $PATH'),
    ])
    const denied = await docker('run', '--rm', image, '/etc/passwd')
    expect([denied.code, denied.stderr]).toEqual([126, expect.stringContaining('permission denied')])
    expect((await docker('run', '--rm', '--no-such-flag', image)).code).toBe(125)
    expect(await ok(['ps', '-aq'])).toBe('')
  })

  it('takes a name once', async () => {
    const id = await ok(['create', '--name', 'only', image])
    const { code, stderr } = await docker('run', '--name', 'only', image)
    expect(code).toBe(125)
    expect(stderr).toContain(
      `Conflict. The container name "/only" is already in use by container "${id}". You have to remove (or rename) that container to be able to reuse that name.`,
    )
    await ok(['rm', 'only'])
  })

  it('pipes input through, binary and long', async () => {
    const hi = await lab.daemon.docker(['run', '-i', '--rm', image, 'cat'], { input: 'hi\n' })
    expect(hi).toMatchObject({ code: 0, stdout: 'hi\n' })
    const input = Buffer.alloc(3_000_000, 'abcdefghijk')
    const sums = await lab.daemon.docker(['run', '-i', '--rm', image, 'sh', '-c', 'cat | wc -c'], { input })
    expect(sums).toMatchObject({ code: 0, stdout: '3000000\n' })
  })

  it('gives a terminal of the size of the user’s', async () => {
    const { code, stdout } = await lab.daemon.inTerminal(
      `stty rows 31 cols 99; ${dockerCommand()} run -it --rm ${image} sh -c 'tty; stty size; exit 4'`,
    )
    expect([code, stdout]).toEqual([4, expect.stringMatching(/\/dev\/pts\/0\r\n31 99\r\n/)])
  })

  it('tells events in their order', async () => {
    const follower = spawn(dockerCommand(), ['events', '--format', '{{.Type}} {{.Action}}'], {
      env: lab.daemon.env,
    })
    const seen: string[] = []
    createInterface({ input: follower.stdout }).on('line', (line) => seen.push(line))
    // The subscription has no sign of life of its own.
    await until('events arrive', async () => {
      await ok(['volume', 'create', 'sign'])
      await ok(['volume', 'rm', 'sign'])
      return seen.length > 0
    })
    seen.length = 0
    await ok(['run', '--rm', image, 'true'])
    await until('the container is destroyed', () => seen.includes('container destroy'))
    follower.kill()
    expect(seen.filter((line) => !line.startsWith('volume'))).toEqual([
      'container create',
      'container attach',
      'network connect',
      'container start',
      'container die',
      'network disconnect',
      'container destroy',
    ])
    const now = Math.floor(Date.now() / 1000)
    const past = await ok([
      'events',
      '--since',
      String(now - 30),
      '--until',
      String(now + 1),
      '--filter',
      'event=die',
    ])
    expect(past).toContain('exitCode=0')
  })

  it('starts again what fails, as often as it is told', async () => {
    await ok([
      'run',
      '-d',
      '--name',
      'fails',
      '--restart',
      'on-failure:2',
      image,
      'sh',
      '-c',
      'echo try; exit 1',
    ])
    await eventually(async () =>
      expect(
        await ok(['inspect', '-f', '{{.State.Status}} {{.RestartCount}} {{.State.ExitCode}}', 'fails']),
      ).toBe('exited 2 1'),
    )
    expect(await ok(['logs', 'fails'])).toBe('try\ntry\ntry')
    await ok(['rm', 'fails'])
  })

  it('holds a container to its limits', async () => {
    const limits = ['--memory', '64m', '--pids-limit', '20', '--cpus', '0.5']
    const greedy = await docker(
      'run',
      '--name',
      'greedy',
      ...limits,
      image,
      'sh',
      '-c',
      'head -c 200m /dev/zero | tail | wc -c',
    )
    expect(await ok(['inspect', '-f', '{{.State.OOMKilled}}', 'greedy']), greedy.output).toBe('true')
    await ok(['rm', 'greedy'])
  })

  it('serves dockerode as well', async () => {
    const client = new Docker({ socketPath: lab.daemon.socket })
    const container = await client.createContainer({
      Image: image,
      Cmd: ['sh', '-c', 'cat; echo done >&2; sleep 600'],
      OpenStdin: true,
      StdinOnce: true,
    })
    const stream = await container.attach({
      stream: true,
      stdin: true,
      stdout: true,
      stderr: true,
      hijack: true,
    })
    const [out, err] = [new PassThrough(), new PassThrough()]
    container.modem.demuxStream(stream, out, err)
    const [lines, complaints] = [createInterface({ input: out }), createInterface({ input: err })]
    const line = once(lines, 'line')
    const complaint = once(complaints, 'line')
    await container.start()
    stream.write('typed\n')
    expect(await line).toEqual(['typed'])
    stream.end()
    expect(await complaint).toEqual(['done'])
    const exec = await container.exec({ Cmd: ['sh', '-c', 'exit 6'], AttachStdout: true })
    const output = await exec.start({ hijack: true })
    output.resume()
    await once(output, 'end')
    expect(await exec.inspect()).toMatchObject({ ExitCode: 6, Running: false })
    const gone = container.wait()
    await sleep(50)
    await container.kill()
    expect(await gone).toMatchObject({ StatusCode: 137 })
    await container.remove()
    expect(await client.listContainers({ all: true })).toEqual([])
  })
})
