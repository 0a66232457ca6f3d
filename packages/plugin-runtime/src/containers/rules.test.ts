import { describe, expect, test } from 'vitest'
import { argvOf, checkConfig, mergeImageConfig } from './config-merge.ts'
import { checkModes, checkNetworkOptions, checkProcessors, checkUnavailable } from './create-checks.ts'
import { mergeEnv } from './environment.ts'
import { healthCommand, nextHealth } from './health.ts'
import { untilTime } from './list.ts'
import { logPolicyOf } from './log-files.ts'
import { checkName, randomName } from './names.ts'
import { cleanMessage, explainStart } from './oci-runtime.ts'
import { type ContainerRecord, NEVER } from './record.ts'
import { checkResources } from './resources.ts'
import { checkRestartPolicy, nextDelay, restarts, startsWithDaemon } from './restart-policy.ts'
import { signalNumber } from './signals.ts'
import { humanDuration, statusText } from './status-text.ts'
import { filterProcesses } from './top.ts'

const record = (change: Partial<ContainerRecord>): ContainerRecord => ({
  ...{
    id: 'a',
    name: 'a',
    created: '2026-11-21T00:00:00.000000000Z',
    image: 'sha256:1',
    path: 'sh',
    args: [],
  },
  ...{ config: { Image: 'x' }, hostConfig: {}, status: 'created', exitCode: 0, error: '', oomKilled: false },
  ...{
    startedAt: NEVER,
    finishedAt: NEVER,
    restartCount: 0,
    manuallyStopped: false,
    mounts: [],
    endpoints: {},
  },
  ...change,
})

describe('configuration over the image’s', () => {
  test.for([
    [{}, ['/entry', 'cmd']],
    [{ Cmd: ['own'] }, ['/entry', 'own']],
    [{ Entrypoint: ['/mine'] }, ['/mine']],
    [{ Entrypoint: ['/mine'], Cmd: ['own'] }, ['/mine', 'own']],
    [{ Entrypoint: [''], Cmd: ['own'] }, ['own']],
  ] as const)('makes of %j the command %j', ([asked, argv]) => {
    const config = mergeImageConfig({ Image: 'x', ...structuredClone(asked) } as never, {
      Entrypoint: ['/entry'],
      Cmd: ['cmd'],
    })
    expect(argvOf(config)).toEqual(argv)
  })

  test('joins variables, labels and health', () => {
    const image = {
      Env: ['A=1', 'B=1'],
      Labels: { a: '1' },
      User: 'web',
      Healthcheck: { Test: ['CMD', 'x'], Interval: 5e9 },
    }
    const merged = mergeImageConfig(
      { Image: 'x', Env: ['B=2'], Labels: { b: '2' }, Healthcheck: { Retries: 9 } },
      image,
    )
    expect(merged).toMatchObject({ Env: ['A=1', 'B=2'], Labels: { a: '1', b: '2' }, User: 'web' })
    expect(merged.Healthcheck).toMatchObject({ Test: ['CMD', 'x'], Interval: 5e9, Retries: 9 })
    expect(mergeEnv(['A=1', 'B=2'], ['A', 'B=3', 'C=4'])).toEqual(['B=3', 'C=4'])
    expect(() => argvOf({ Image: 'x' })).toThrow('no command specified')
    expect(() => checkConfig({ Image: 'x', WorkingDir: 'here' })).toThrow(/needs to be an absolute path/)
    expect(() => checkConfig({ Image: 'x', Env: ['=1'] })).toThrow('invalid environment variable: =1')
  })
})

describe('status texts', () => {
  const now = Date.parse('2026-11-21T10:00:00Z')
  const ago = (seconds: number) => new Date(now - seconds * 1000).toISOString()
  test.for([
    [{ status: 'created' }, 'Created'],
    [{ status: 'running', startedAt: ago(3) }, 'Up 3 seconds'],
    [{ status: 'paused', startedAt: ago(5) }, 'Up 5 seconds (Paused)'],
    [
      { status: 'running', startedAt: ago(120), health: { Status: 'healthy', FailingStreak: 0, Log: [] } },
      'Up 2 minutes (healthy)',
    ],
    [
      { status: 'running', startedAt: ago(1), health: { Status: 'starting', FailingStreak: 0, Log: [] } },
      'Up 1 second (health: starting)',
    ],
    [{ status: 'exited', exitCode: 137, finishedAt: ago(5) }, 'Exited (137) 5 seconds ago'],
    [{ status: 'restarting', exitCode: 1, finishedAt: ago(61) }, 'Restarting (1) About a minute ago'],
  ] as [Partial<ContainerRecord>, string][])('shows %j as %s', ([change, text]) => {
    expect(statusText(record(change), now)).toBe(text)
  })
  test.for([
    [0, 'Less than a second'],
    [59, '59 seconds'],
    [3600, 'About an hour'],
    [7200, '2 hours'],
    [3 * 86_400, '3 days'],
    [21 * 86_400, '3 weeks'],
    [90 * 86_400, '3 months'],
    [3 * 365 * 86_400, '3 years'],
  ] as const)('says %d s as %s', ([seconds, text]) => {
    expect(humanDuration(seconds * 1000)).toBe(text)
  })
})

describe('restart policies', () => {
  const by = (Name: string, change: Partial<ContainerRecord> = {}, MaximumRetryCount = 0) =>
    record({
      status: 'exited',
      hostConfig: { RestartPolicy: { Name: Name as 'no', MaximumRetryCount } },
      ...change,
    })
  test('decide about the next start', () => {
    expect(restarts(by('no', { exitCode: 1 }))).toBe(false)
    expect(restarts(by('always'))).toBe(true)
    expect(restarts(by('always', { manuallyStopped: true }))).toBe(false)
    expect(restarts(by('on-failure'))).toBe(false)
    expect(restarts(by('on-failure', { exitCode: 1, restartCount: 1 }, 2))).toBe(true)
    expect(restarts(by('on-failure', { exitCode: 1, restartCount: 2 }, 2))).toBe(false)
    expect(startsWithDaemon(by('unless-stopped', { manuallyStopped: true }))).toBe(false)
    expect(startsWithDaemon(by('always', { manuallyStopped: true }))).toBe(true)
    expect(startsWithDaemon(by('always', { status: 'created' }))).toBe(false)
  })
  test('wait longer each time, up to a minute', () => {
    expect([
      nextDelay(undefined, 0),
      nextDelay(100, 50),
      nextDelay(51_200, 0),
      nextDelay(60_000, 10_000),
    ]).toEqual([100, 200, 60_000, 100])
  })
  test('are refused where they make no sense', () => {
    expect(() => checkRestartPolicy({ RestartPolicy: { Name: 'sometimes' as 'no' } })).toThrow(
      /unknown policy 'sometimes'/,
    )
    expect(() => checkRestartPolicy({ AutoRemove: true, RestartPolicy: { Name: 'always' } })).toThrow(
      /can't create 'AutoRemove' container with restart policy/,
    )
    expect(() => checkRestartPolicy({ RestartPolicy: { Name: 'always', MaximumRetryCount: 3 } })).toThrow(
      /only be used with 'on-failure'/,
    )
  })
})

describe('health', () => {
  const result = (ExitCode: number) => ({ Start: '', End: '', ExitCode, Output: '' })
  const fresh = { Status: 'starting' as const, FailingStreak: 0, Log: [] }
  test('counts failures, but not while the container starts', () => {
    expect(nextHealth(fresh, result(1), { retries: 1, starting: true })).toMatchObject({
      Status: 'starting',
      FailingStreak: 0,
    })
    const once = nextHealth(fresh, result(1), { retries: 2, starting: false })
    expect(once).toMatchObject({ Status: 'starting', FailingStreak: 1 })
    expect(nextHealth(once, result(1), { retries: 2, starting: false }).Status).toBe('unhealthy')
    expect(nextHealth(once, result(0), { retries: 2, starting: false })).toMatchObject({
      Status: 'healthy',
      FailingStreak: 0,
    })
    let health: ReturnType<typeof nextHealth> = fresh
    for (let code = 0; code < 9; code++)
      health = nextHealth(health, result(code), { retries: 3, starting: false })
    expect(health.Log.map(({ ExitCode }) => ExitCode)).toEqual([4, 5, 6, 7, 8])
  })
  test('knows the forms of a test', () => {
    expect(healthCommand({ Test: ['CMD', 'a', 'b'] })).toEqual(['a', 'b'])
    expect(healthCommand({ Test: ['CMD-SHELL', 'a b'] })).toEqual(['/bin/sh', '-c', 'a b'])
    expect(healthCommand({ Test: ['NONE'] })).toBeUndefined()
    expect(healthCommand(undefined)).toBeUndefined()
  })
})

describe('small rules', () => {
  test('names', () => {
    expect(checkName('/web.1')).toBe('web.1')
    expect(() => checkName('-x')).toThrow(
      'Invalid container name (-x), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed',
    )
    expect(randomName(() => false)).toMatch(/^[a-z]+_[a-z]+$/)
    let tries = 0
    expect(randomName(() => ++tries < 8)).toMatch(/^[a-z]+_[a-z]+\d+$/)
  })
  test('signals', () => {
    expect(['TERM', 'SIGKILL', '9', 'rtmin+3', 'SIGRTMAX-1'].map(signalNumber)).toEqual([15, 9, 9, 37, 63])
    expect(() => signalNumber('SIGNONE')).toThrow('invalid signal: SIGNONE')
  })
  test('limits', () => {
    expect(() => checkResources({ Memory: 1024 })).toThrow('Minimum memory limit allowed is 6MB')
    expect(() => checkResources({ NanoCpus: 1e12 })).toThrow(/range of CPUs is from 0.01/)
    expect(() => checkResources({ Memory: 64 << 20, MemorySwap: 32 << 20 })).toThrow(
      /memoryswap limit should be larger/,
    )
    expect(() => checkResources({ NanoCpus: 1e8, CpuQuota: 5000 })).toThrow(
      /Nano CPUs and CPU Quota cannot both be set/,
    )
  })
  test('times of prune', () => {
    const now = Date.parse('2026-11-21T10:00:00Z')
    expect(untilTime('1h30m', now)).toBe(now - 5_400_000)
    expect(untilTime('10', now)).toBe(10_000)
    expect(untilTime('2026-11-21T00:00:00Z', now)).toBe(Date.parse('2026-11-21T00:00:00Z'))
    expect(() => untilTime('soon', now)).toThrow("invalid filter 'until=soon'")
  })
  test('messages of both runtimes', () => {
    expect(
      cleanMessage(
        'time="2026-11-21T00:00:00Z" level=error msg="runc create failed: exec: \\"x\\": not there"\n',
      ),
    ).toBe('runc create failed: exec: "x": not there')
    expect(
      cleanMessage(
        '2026-11-21T00:00:00.000000Z: executable file `x` not found in $PATH: No such file or directory',
      ),
    ).toBe('executable file `x` not found in $PATH: No such file or directory')
    expect(explainStart('open executable: Permission denied', '/x')).toEqual({
      exitCode: 126,
      message: 'exec: "/x": permission denied',
    })
    expect(explainStart('mount /proc failed', 'x')).toEqual({ exitCode: 128, message: 'mount /proc failed' })
  })
  test('processes of a container only', () => {
    const output = 'UID PID PPID CMD\nroot 1 0 init\nroot 20 1 sh -c  sleep 1\nroot 21 20 sleep 1\n'
    expect(filterProcesses(output, new Set([20, 21]))).toEqual({
      Titles: ['UID', 'PID', 'PPID', 'CMD'],
      Processes: [
        ['root', '20', '1', 'sh -c sleep 1'],
        ['root', '21', '20', 'sleep 1'],
      ],
    })
    expect(() => filterProcesses('UID CMD\nroot x\n', new Set())).toThrow(/PID/)
  })
})

describe('what a HostConfig can have wrong', () => {
  test.each([
    [{ UTSMode: 'x' }, 'invalid UTS mode: x'],
    [{ PidMode: 'x' }, 'invalid PID mode: x'],
    [{ IpcMode: 'container:' }, 'invalid IPC mode: container:'],
    [{ CgroupnsMode: 'x' }, 'invalid cgroup namespace mode: x'],
    [{ UsernsMode: 'remapped' }, 'invalid USER mode: remapped'],
  ])('%j', (host, message) => {
    expect(() => checkModes(host)).toThrow(expect.objectContaining({ kind: 'invalid', message }))
  })

  test('takes all modes that there are', () => {
    expect(() => checkModes({})).not.toThrow()
    expect(() =>
      checkModes({
        UTSMode: 'host',
        PidMode: 'container:a',
        IpcMode: 'shareable',
        CgroupnsMode: 'private',
        UsernsMode: 'host',
      }),
    ).not.toThrow()
  })

  test('checks hosts and ports', () => {
    expect(() => checkNetworkOptions({ ExtraHosts: ['nonsense'] })).toThrow(
      'bad format for add-host: "nonsense"',
    )
    expect(() => checkNetworkOptions({ PortBindings: { '80/tcp': [{ HostPort: 'x' }] } })).toThrow(
      'invalid port specification: "x"',
    )
    expect(() =>
      checkNetworkOptions({
        ExtraHosts: ['a:1.2.3.4', 'b=host-gateway', 'c:[::1]'],
        PortBindings: { '80/tcp': [{ HostPort: '' }, { HostPort: '80-90' }, {}] },
      }),
    ).not.toThrow()
  })

  test('checks processors and swappiness', () => {
    expect(() => checkProcessors({ CpusetCpus: '9000' })).toThrow(
      /^Requested CPUs are not available - requested 9000, available: /,
    )
    for (const CpusetCpus of ['x', '3-1', '0,,1'])
      expect(() => checkProcessors({ CpusetCpus })).toThrow(`Invalid value ${CpusetCpus} for cpuset cpus`)
    expect(() => checkProcessors({ MemorySwappiness: 101 })).toThrow('memory swappiness range is 0-100')
    expect(() => checkProcessors({ CpusetCpus: '0', MemorySwappiness: -1 })).not.toThrow()
    expect(() => checkProcessors({ MemorySwappiness: null })).not.toThrow()
  })

  test('refuses what it could only pretend to do', () => {
    expect(() =>
      checkUnavailable({ DeviceRequests: [{ Driver: '', Count: -1, Capabilities: [['gpu', 'x']] }] }),
    ).toThrow('could not select device driver "" with capabilities: [[gpu x]]')
    expect(() => checkUnavailable({ StorageOpt: { size: '1G' } })).toThrow('--storage-opt is supported only')
    expect(() => checkUnavailable({ VolumeDriver: 'nfs' })).toThrow('error looking up volume plugin nfs')
    expect(() => checkUnavailable({ Isolation: 'hyperv' })).toThrow('invalid isolation')
    expect(() =>
      checkUnavailable({ DeviceRequests: null, StorageOpt: {}, VolumeDriver: 'local', Isolation: 'default' }),
    ).not.toThrow()
  })

  test('knows the options of log drivers', () => {
    expect(() => logPolicyOf({ Type: 'json-file', Config: { nonsense: '1' } })).toThrow(
      "unknown log opt 'nonsense' for json-file log driver",
    )
    expect(() => logPolicyOf({ Type: 'local', Config: { tag: 'x' } })).toThrow(
      "unknown log opt 'tag' for local",
    )
    expect(logPolicyOf({ Type: 'json-file', Config: { tag: 'x', 'max-file': '2' } }).maxFile).toBe(2)
  })
})
