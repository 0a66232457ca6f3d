import fs from 'node:fs'
import { join } from 'node:path'
import type { ContainerCreate } from '@kernel/contracts'
import { containersSuite } from '@kernel/contracts/testing'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type ContainersService, createContainers } from './containers.ts'
import { type Bench, collect, createBench, lacking, runtimes, until } from './testing.ts'

describe.skipIf(lacking() !== '').for(runtimes())('containers by $kind', { timeout: 60_000 }, (runtime) => {
  let bench: Bench
  let containers: ContainersService

  beforeAll(async () => {
    bench = createBench(runtime)
    containers = await createContainers(bench.options)
    await containers.restore()
  })
  afterEach(() => clear())
  afterAll(async () => {
    await containers.close()
    bench.dispose()
  })
  beforeEach(() => {
    bench.events.length = 0
    bench.image = { Cmd: ['sh'] }
  })

  const clear = async () => {
    for (const { Id } of await containers.list({ all: true })) await containers.remove(Id, { force: true })
  }
  describe('keeps the contract', () => {
    const cases = containersSuite(async () => ({ subject: containers, close: clear }), 'busybox')
    for (const { name, run } of cases) test(name, run)
  })

  const body = (line: string, change: Partial<ContainerCreate> = {}): ContainerCreate => ({
    Image: 'busybox',
    Cmd: ['sh', '-c', line],
    ...change,
  })
  const run = async (line: string, change: Partial<ContainerCreate> = {}) => {
    const { id } = await containers.create(undefined, body(line, change))
    const stream = await containers.attach(id, { stdout: true, stderr: true, stream: true })
    const exit = containers.wait(id, 'next-exit')
    await containers.start(id)
    return { id, ...(await collect(stream)), ...(await exit) }
  }
  const start = async (line: string, change: Partial<ContainerCreate> = {}) => {
    const { id } = await containers.create(undefined, body(line, change))
    await containers.start(id)
    return id
  }
  const logsOf = async (id: string) => {
    let text = ''
    for await (const { data } of await containers.logs(id, {})) text += Buffer.from(data).toString('utf8')
    return text
  }
  const actions = (id: string) =>
    bench.events.filter((event) => event.Actor.ID === id).map((event) => event.Action)

  test('gives output of both streams, exit code, state and logs', async () => {
    const result = await run('echo out; echo err >&2; exit 3')
    expect(result).toMatchObject({ out: 'out\n', err: 'err\n', exitCode: 3 })
    const { State } = await containers.inspect(result.id)
    expect(State).toMatchObject({ Status: 'exited', ExitCode: 3, Running: false, OOMKilled: false })
    expect((await logsOf(result.id)).split('\n').toSorted()).toEqual(['', 'err', 'out'])
    expect(actions(result.id)).toEqual(['create', 'attach', 'start', 'die'])
  })

  test('loses no byte of a program that ends at once', async () => {
    const { out } = await run('seq 1 20000')
    expect(out).toBe(Array.from({ length: 20_000 }, (_, index) => `${index + 1}\n`).join(''))
  })

  test('confines as Docker does', async () => {
    const { out } = await run(
      'grep -E "^(CapEff|Seccomp):" /proc/self/status; cat /proc/kcore 2>&1 | wc -c; echo 1 > /proc/sys/kernel/panic; ls /sys/firmware | wc -l; hostname; cat /etc/hosts; stat -c %F /dev/null; df /dev/shm | tail -1; pwd; id -G',
      { User: 'web', WorkingDir: '/srv/data', Hostname: 'box', Env: ['A=1'] },
    )
    expect(out).toContain('CapEff:\t0000000000000000\n')
    expect(out).toContain('Seccomp:\t2\n')
    expect(out).toContain('box\n')
    expect(out).toContain('172.17.0.2 box\n')
    expect(out).toContain('character special file')
    expect(out).toContain('65536')
    expect(out).toMatch(/\/srv\/data\n1001 2000\n$/)
  })

  test('confines every container and exec alike, also once the filter is compiled', async () => {
    const filter = 'grep "^Seccomp:" /proc/self/status; unshare -m true 2>/dev/null; echo $?'
    const confined = 'Seccomp:\t2\n1\n'
    for (let round = 0; round < 2; round++) expect((await run(filter)).out).toBe(confined)
    const id = await start('sleep 100')
    const exec = await containers.execCreate(id, { Cmd: ['sh', '-c', filter], AttachStdout: true })
    expect((await collect(await containers.execStart(exec, { attach: true }))).out).toBe(confined)
    const open = await run(filter, { HostConfig: { SecurityOpt: ['seccomp=unconfined'] } })
    expect(open.out).toMatch(/^Seccomp:\t0\n/)
  })

  test('limits memory, processors and processes', async () => {
    const id = await start('sleep 100', {
      HostConfig: { Memory: 32 << 20, NanoCpus: 5e8, PidsLimit: 7 },
    })
    const stats = (await containers.stats(id)) as {
      memory_stats: { limit: number }
      pids_stats: { limit: number }
    }
    expect(stats.memory_stats.limit).toBe(32 << 20)
    expect(stats.pids_stats.limit).toBe(7)
    await containers.update(id, { PidsLimit: 9 })
    expect(((await containers.stats(id)) as typeof stats).pids_stats.limit).toBe(9)
    const { Processes } = await containers.top(id)
    expect(Processes.map((row) => row.at(-1))).toEqual(['sleep 100'])
  })

  test('lowers what the kernel would refuse, and says so', async () => {
    const HostConfig = { OomScoreAdj: -1000, Ulimits: [{ Name: 'nofile', Soft: 2 ** 30, Hard: 2 ** 30 }] }
    const { id, warnings } = await containers.create(undefined, body('ulimit -n', { HostConfig }))
    await containers.start(id)
    expect(await containers.wait(id)).toEqual({ exitCode: 0 })
    const limit = Number(await logsOf(id))
    expect(limit === 2 ** 30 || warnings.some((text) => text.includes(`lowered to ${limit}`))).toBe(true)
  })

  test('tells that memory ran out', async () => {
    const { id, exitCode } = await run('awk \'BEGIN { s = "x"; while (1) s = s s }\'; exit $?', {
      Cmd: ['awk', 'BEGIN { s = "x"; while (1) s = s s }'],
      HostConfig: { Memory: 8 << 20, MemorySwap: 8 << 20 },
    })
    expect(exitCode).toBe(137)
    expect((await containers.inspect(id)).State.OOMKilled).toBe(true)
    expect(actions(id)).toContain('oom')
  })

  test.for([
    ['no-such-program', 127, /executable file not found in \$PATH|no such file or directory/],
    ['/no/such', 127, /no such file or directory|executable file not found/],
    ['/etc/passwd', 126, /permission denied/],
    ['/etc', 126, /permission denied|is a directory/],
  ] as const)('explains why %s does not start', async ([program, exitCode, message]) => {
    const { id } = await containers.create(undefined, { Image: 'busybox', Cmd: [program] })
    await expect(containers.start(id)).rejects.toMatchObject({
      kind: 'invalid',
      message: expect.stringMatching(message),
    })
    expect((await containers.inspect(id)).State).toMatchObject({ Status: 'created', ExitCode: exitCode })
  })

  test('hands stdin on and closes it with the client', async () => {
    const { id } = await containers.create(undefined, {
      Image: 'busybox',
      Cmd: ['cat'],
      OpenStdin: true,
      StdinOnce: true,
    })
    const stream = await containers.attach(id, { stdin: true, stdout: true, stream: true })
    const early = stream.write(Buffer.from('before start\n'))
    await containers.start(id)
    await early
    await stream.write(Buffer.alloc(300_000, 'x'))
    await stream.closeInput()
    const { out } = await collect(stream)
    expect(out).toBe(`before start\n${'x'.repeat(300_000)}`)
    expect(await containers.wait(id)).toEqual({ exitCode: 0 })
  })

  test('gives a terminal its size, asked for before the start', async () => {
    const { id } = await containers.create(undefined, {
      Image: 'busybox',
      Cmd: ['sh', '-c', 'read line; stty size; echo "$line"'],
      Tty: true,
      OpenStdin: true,
    })
    const stream = await containers.attach(id, { stdin: true, stdout: true, stream: true })
    await containers.resize(id, 33, 111)
    await containers.start(id)
    await new Promise((resolve) => setTimeout(resolve, 200))
    await stream.write(Buffer.from('typed\n'))
    expect((await collect(stream)).out).toContain('33 111\r\ntyped\r\n')
  })

  test('serves several readers, and cuts none off for a slow one', async () => {
    const { id } = await containers.create(undefined, body('seq 1 100000'))
    const [slow, quick] = await Promise.all([
      containers.attach(id, { stdout: true, stream: true }),
      containers.attach(id, { stdout: true, stream: true }),
    ])
    await containers.start(id)
    expect((await collect(quick)).out.length).toBe(588_895)
    expect((await collect(slow)).out.length).toBe(588_895)
  })

  test('lets a reader that stands still hold up no other', async () => {
    const { id } = await containers.create(undefined, body('dd if=/dev/zero bs=64k count=480 2>/dev/null'))
    const stuck = await containers.attach(id, { stdout: true, stream: true })
    const quick = await containers.attach(id, { stdout: true, stream: true })
    await containers.start(id)
    let bytes = 0
    for await (const { data } of quick.output) bytes += data.length
    expect(bytes).toBe(480 * 65_536)
    await expect(collect(stuck)).rejects.toThrow(/too slow and was cut off/)
  })

  test('sees the end of a container whose only reader stands still', async () => {
    const { id } = await containers.create(
      undefined,
      body('while :; do echo 0123456789012345678901234567890123456789; done'),
    )
    const stuck = await containers.attach(id, { stdout: true, stream: true })
    await containers.start(id)
    await new Promise((resolve) => setTimeout(resolve, 300))
    await containers.kill(id)
    expect((await containers.wait(id)).exitCode).toBe(137)
    stuck.detach()
  })

  test('stops by signal, then by force', async () => {
    const kind = await start('trap "exit 5" TERM; while :; do sleep 0.05; done')
    await until('the trap', async () => (await containers.top(kind)).Processes.length > 1)
    await containers.stop(kind, { timeoutSec: 10 })
    expect((await containers.inspect(kind)).State.ExitCode).toBe(5)
    const stubborn = await start('trap "" TERM; while :; do sleep 0.05; done')
    await until('the trap', async () => (await containers.top(stubborn)).Processes.length > 1)
    await containers.stop(stubborn, { timeoutSec: 0 })
    expect((await containers.inspect(stubborn)).State.ExitCode).toBe(137)
    await expect(containers.stop(stubborn)).rejects.toMatchObject({ kind: 'not-modified' })
    expect(actions(kind).filter((action) => action !== 'top')).toEqual([
      'create',
      'start',
      'kill',
      'die',
      'stop',
    ])
  })

  test('removes itself, and says so to whoever waits', async () => {
    const { id } = await containers.create('short', body('exit 4', { HostConfig: { AutoRemove: true } }))
    const removed = containers.wait(id, 'removed')
    await containers.start(id)
    expect(await removed).toEqual({ exitCode: 4 })
    await expect(containers.inspect(id)).rejects.toMatchObject({
      kind: 'not-found',
      message: `No such container: ${id}`,
    })
    expect(actions(id)).toEqual(['create', 'start', 'die', 'destroy'])
    await containers.create('short', body('true'))
  })

  test('starts again by policy, and no more after a stop', async () => {
    const id = await start('exit 1', {
      HostConfig: { RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 2 } },
    })
    expect(await containers.wait(id)).toEqual({ exitCode: 1 })
    expect(await containers.inspect(id)).toMatchObject({ RestartCount: 2, State: { Status: 'exited' } })
    const always = await start('exit 0', { HostConfig: { RestartPolicy: { Name: 'always' } } })
    await until('a second start', async () => (await containers.inspect(always)).RestartCount > 0)
    await containers.stop(always).catch(() => {})
    const { RestartCount } = await containers.inspect(always)
    await new Promise((resolve) => setTimeout(resolve, 500))
    expect(await containers.inspect(always)).toMatchObject({ RestartCount, State: { Status: 'exited' } })
  })

  test('runs further processes inside', async () => {
    const id = await start('sleep 100', { Env: ['A=1'] })
    const exec = await containers.execCreate(id, {
      Cmd: ['sh', '-c', 'cat; echo "$A $B" >&2; exit 6'],
      AttachStdin: true,
      AttachStdout: true,
      AttachStderr: true,
      Env: ['B=2'],
    })
    const stream = await containers.execStart(exec, { attach: true })
    await stream.write(Buffer.from('through'))
    await stream.closeInput()
    expect(await collect(stream)).toEqual({ out: 'through', err: '1 2\n' })
    expect(await containers.execInspect(exec)).toMatchObject({ Running: false, ExitCode: 6 })
    expect(await containers.execWait(exec)).toEqual({ exitCode: 6 })
    expect(actions(id).slice(-3)).toEqual([
      expect.stringMatching(/^exec_create: sh -c/),
      expect.stringMatching(/^exec_start: sh -c/),
      'exec_die',
    ])

    const missing = await containers.execCreate(id, { Cmd: ['nope'], AttachStdout: true })
    expect((await collect(await containers.execStart(missing, { attach: true }))).out).toMatch(
      /executable file not found in \$PATH/,
    )
    expect((await containers.execInspect(missing)).ExitCode).toBe(127)
    const detached = await containers.execCreate(id, { Cmd: ['nope'] })
    await expect(containers.execStart(detached, { attach: false })).rejects.toMatchObject({ kind: 'invalid' })
  })

  test('runs a terminal inside', async () => {
    const id = await start('sleep 100')
    const exec = await containers.execCreate(id, {
      Cmd: ['sh', '-c', 'read line; stty size; echo "got $line"; exit 7'],
      Tty: true,
      AttachStdin: true,
      AttachStdout: true,
    })
    await containers.execResize(exec, 20, 70)
    const stream = await containers.execStart(exec, { attach: true, tty: true })
    await stream.write(Buffer.from('it\n'))
    expect((await collect(stream)).out).toContain('20 70\r\ngot it\r\n')
    expect((await containers.execInspect(exec)).ExitCode).toBe(7)
    expect((await containers.inspect(id)).State.Running).toBe(true)
    await containers.stop(id, { timeoutSec: 0 })
    expect((await containers.inspect(id)).State.ExitCode).toBe(137)
  })

  test('pauses', async () => {
    const id = await start('sleep 100')
    await containers.pause(id)
    expect((await containers.list())[0]?.Status).toMatch(/^Up .*\(Paused\)$/)
    await expect(containers.execCreate(id, { Cmd: ['true'] })).rejects.toMatchObject({ kind: 'conflict' })
    await containers.unpause(id)
    expect((await containers.inspect(id)).State.Status).toBe('running')
  })

  test('follows logs until the end, over a rotation', async () => {
    const id = await start(
      'for i in $(seq 1 3000); do echo "line $i 0123456789012345678901234567890123456789"; done; sleep 1.2; echo again; sleep 1.2; echo last',
      {
        HostConfig: { LogConfig: { Type: 'json-file', Config: { 'max-size': '64k', 'max-file': '9' } } },
      },
    )
    const lines: string[] = []
    for await (const { data } of await containers.logs(id, { follow: true }))
      lines.push(Buffer.from(data).toString().trim())
    expect(lines.length).toBe(3002)
    expect(lines.at(-1)).toBe('last')
    expect(
      fs.readdirSync(join(bench.dataDir, 'containers', id)).filter((name) => name.includes('.log.')).length,
    ).toBeGreaterThan(0)
    const tail: string[] = []
    for await (const { data } of await containers.logs(id, { tail: 2 }))
      tail.push(Buffer.from(data).toString())
    expect(tail).toEqual(['again\n', 'last\n'])
  })

  test('watches health', async () => {
    const id = await start('sleep 100', {
      Healthcheck: { Test: ['CMD-SHELL', 'echo fine; test -e /tmp/ok'], Interval: 100e6, Retries: 2 },
    })
    const status = async () => (await containers.inspect(id)).State.Health?.Status
    expect(await status()).toBe('starting')
    await until('unhealthy', async () => (await status()) === 'unhealthy')
    const exec = await containers.execCreate(id, { Cmd: ['touch', '/tmp/ok'] })
    await containers.execStart(exec, { attach: false })
    await until('healthy', async () => (await status()) === 'healthy')
    expect((await containers.inspect(id)).State.Health?.Log.at(-1)).toMatchObject({
      ExitCode: 0,
      Output: 'fine\n',
    })
    expect(actions(id)).toContain('health_status: healthy')
    expect((await containers.list())[0]?.Status).toMatch(/\(healthy\)$/)
  })

  test('is found again by the next daemon', async () => {
    const patient = 'trap "exit 9" TERM; echo hello; while :; do sleep 0.05; done'
    const alive = await start(patient)
    const ended = await start(patient)
    const gone = await start(patient, { HostConfig: { AutoRemove: true } })
    const again = await start(patient, { HostConfig: { RestartPolicy: { Name: 'always' } } })
    const dead = [ended, gone, again]
    const pids = await Promise.all(dead.map(async (id) => (await containers.inspect(id)).State.Pid))
    for (const id of dead) await until('the trap', async () => (await logsOf(id)) !== '')
    await containers.close()
    for (const pid of pids) process.kill(pid, 'SIGTERM')
    await until('three exit files', () =>
      dead.every((id) => fs.existsSync(join(bench.dataDir, 'run/exits', id))),
    )
    containers = await createContainers(bench.options)
    await containers.restore()
    expect((await containers.inspect(alive)).State.Running).toBe(true)
    expect((await containers.inspect(ended)).State).toMatchObject({ Status: 'exited', ExitCode: 9 })
    await expect(containers.inspect(gone)).rejects.toMatchObject({ kind: 'not-found' })
    await until('the restart', async () => (await containers.inspect(again)).RestartCount > 0)
    const exit = containers.wait(alive)
    await containers.kill(alive)
    expect(await exit).toEqual({ exitCode: 137 })
    expect(await logsOf(alive)).toBe('hello\n')
  })

  test('refuses names that are taken, and finds by prefix', async () => {
    const { id } = await containers.create('one', body('true'))
    await expect(containers.create('one', body('true'))).rejects.toMatchObject({
      kind: 'conflict',
      message: `Conflict. The container name "/one" is already in use by container "${id}". You have to remove (or rename) that container to be able to reuse that name.`,
    })
    expect((await containers.inspect(id.slice(0, 12))).Name).toBe('/one')
    await containers.rename('one', 'two')
    expect((await containers.inspect('two')).Id).toBe(id)
    await expect(containers.inspect('one')).rejects.toMatchObject({ message: 'No such container: one' })
    expect(await containers.prune()).toMatchObject({ deleted: [id] })
  })
})
