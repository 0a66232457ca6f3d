import {
  type ContainerCreate,
  type ContainerInspect,
  type Containers,
  conflict,
  type ExecCreate,
  invalid,
  notFound,
  notModified,
} from '@kernel/contracts'
import { FakeProcess, type Program } from './fake-process.ts'

interface FakeContainer {
  id: string
  name: string
  body: ContainerCreate
  process: FakeProcess
  status: 'created' | 'running' | 'exited'
  exitCode: number
  removed: PromiseWithResolvers<void>
}
interface FakeExec {
  id: string
  container: FakeContainer
  body: ExecCreate
  process: FakeProcess
  exitCode: number | null
}

/** For tests: containers whose programs are functions, with as much of the contract as clients need. */
export function fakeContainers(programs: Record<string, Program>) {
  const all = new Map<string, FakeContainer>()
  const execs = new Map<string, FakeExec>()
  let count = 0
  const nextId = () => (++count).toString(16).padStart(4, '0').repeat(16)

  function find(ref: string): FakeContainer {
    const found = [...all.values()].find(({ id, name }) => name === ref || id.startsWith(ref))
    if (!found) throw notFound(`No such container: ${ref}`)
    return found
  }
  function findExec(id: string): FakeExec {
    const found = execs.get(id)
    if (!found) throw notFound(`No such exec instance: ${id}`)
    return found
  }
  function program(argv: string[]): Program {
    const found = programs[argv[0] ?? '']
    if (!found) throw invalid(`exec: "${argv[0]}": executable file not found in $PATH: unknown`)
    return found
  }
  function remove(container: FakeContainer) {
    all.delete(container.id)
    container.removed.resolve()
  }

  /** A start that fails ends the container as the engine does: with 127, and removed where that was asked for. */
  function startable(container: FakeContainer, argv: string[]): Program {
    try {
      return program(argv)
    } catch (error) {
      void container.process.run(async () => 127, [])
      if (container.body.HostConfig?.AutoRemove) remove(container)
      throw error
    }
  }

  const containers: Partial<Containers> = {
    async create(name, body) {
      if (name && [...all.values()].some((other) => other.name === name))
        throw conflict(`Conflict. The container name "/${name}" is already in use`)
      const id = nextId()
      const container: FakeContainer = {
        id,
        name: name ?? `fake_${count}`,
        body,
        process: new FakeProcess(),
        status: 'created',
        exitCode: 0,
        removed: Promise.withResolvers<void>(),
      }
      all.set(id, container)
      return { id, warnings: [] }
    },
    async start(ref) {
      const container = find(ref)
      if (container.status === 'running') throw notModified('It runs already')
      const argv = [...(container.body.Entrypoint ?? []), ...(container.body.Cmd ?? [])]
      const run = startable(container, argv)
      container.status = 'running'
      void container.process.run(run, argv.slice(1)).then(async () => {
        container.status = 'exited'
        container.exitCode = (await container.process.exit).exitCode
        if (container.body.HostConfig?.AutoRemove) setTimeout(() => remove(container), 5)
      })
    },
    async kill(ref) {
      find(ref).process.kill()
    },
    async stop(ref) {
      const container = find(ref)
      if (container.status !== 'running') throw notModified('It does not run')
      container.process.kill()
      await container.process.exit
    },
    async remove(ref) {
      remove(find(ref))
    },
    async list() {
      return [...all.values()].map(({ id, name, body, status }) => ({
        Id: id,
        Names: [`/${name}`],
        Image: body.Image,
        ImageID: `sha256:${'0'.repeat(64)}`,
        Command: (body.Cmd ?? []).join(' '),
        Created: 1_700_000_000,
        Ports: [],
        Labels: {},
        State: status,
        Status: 'Up 3 seconds',
        HostConfig: { NetworkMode: 'bridge' },
        NetworkSettings: { Networks: {} },
        Mounts: [],
      }))
    },
    inspect: async (ref) => inspect(find(ref)),
    async wait(ref, condition, signal) {
      const container = find(ref)
      const { promise: aborted, reject } = Promise.withResolvers<never>()
      signal?.addEventListener('abort', () => reject(signal.reason))
      if (condition === 'removed') await Promise.race([container.removed.promise, aborted])
      return Promise.race([container.process.exit, aborted])
    },
    attach: async (ref, options) => find(ref).process.attach({ ...options, replay: options.logs === true }),
    async logs(ref) {
      const { log } = find(ref).process
      return (async function* () {
        for (const chunk of log) yield { ...chunk, time: '2026-01-01T00:00:00.000000001Z' }
      })()
    },
    async resize(ref, rows, columns) {
      Object.assign(find(ref).process, { rows, columns })
    },
    top: async () => ({ Titles: ['PID', 'CMD'], Processes: [['1', 'cat']] }),
    stats: async () => ({ cpu_stats: { cpu_usage: { total_usage: 5 } }, memory_stats: { usage: 7 } }),
    update: async () => ({ warnings: [] }),
    prune: async () => ({ deleted: [], spaceReclaimed: 0 }),
    async execCreate(ref, body) {
      const container = find(ref)
      if (container.status !== 'running') throw conflict(`container ${container.id} is not running`)
      const exec = { id: nextId(), container, body, process: new FakeProcess(), exitCode: null }
      execs.set(exec.id, exec)
      return exec.id
    },
    async execStart(id) {
      const exec = findExec(id)
      try {
        const run = program(exec.body.Cmd)
        const stream = exec.process.attach()
        void exec.process.run(run, exec.body.Cmd.slice(1)).then(async () => {
          exec.exitCode = (await exec.process.exit).exitCode
        })
        return stream
      } catch (error) {
        exec.exitCode = 127
        throw error
      }
    },
    async execInspect(id) {
      const { body, container, exitCode } = findExec(id)
      return {
        ID: id,
        ContainerID: container.id,
        Running: exitCode === null,
        ExitCode: exitCode,
        Pid: 7,
        CanRemove: false,
        OpenStdin: body.AttachStdin === true,
        OpenStdout: body.AttachStdout === true,
        OpenStderr: body.AttachStderr === true,
        DetachKeys: '',
        ProcessConfig: {
          tty: body.Tty === true,
          entrypoint: body.Cmd[0]!,
          arguments: body.Cmd.slice(1),
          privileged: false,
        },
      }
    },
    execWait: (id) => findExec(id).process.exit,
    async execResize(id, rows, columns) {
      Object.assign(findExec(id).process, { rows, columns })
    },
  }
  return { containers: containers as Containers, find, findExec }
}

function inspect({ id, name, body, status, exitCode }: FakeContainer): ContainerInspect {
  const { HostConfig = {}, NetworkingConfig: _, ...config } = body
  return {
    Id: id,
    Created: '2026-01-01T00:00:00.000000000Z',
    Path: body.Cmd?.[0] ?? '',
    Args: body.Cmd?.slice(1) ?? [],
    State: {
      Status: status,
      Running: status === 'running',
      Paused: false,
      Restarting: false,
      OOMKilled: false,
      Dead: false,
      Pid: 0,
      ExitCode: exitCode,
      Error: '',
      StartedAt: '2026-01-01T00:00:00Z',
      FinishedAt: '0001-01-01T00:00:00Z',
    },
    Image: `sha256:${'0'.repeat(64)}`,
    ResolvConfPath: '',
    HostnamePath: '',
    HostsPath: '',
    LogPath: '',
    Name: `/${name}`,
    RestartCount: 0,
    Driver: 'overlay2',
    Platform: 'linux',
    MountLabel: '',
    ProcessLabel: '',
    AppArmorProfile: '',
    ExecIDs: null,
    HostConfig,
    GraphDriver: { Name: 'overlay2', Data: {} },
    Mounts: [],
    Config: config,
    NetworkSettings: {
      SandboxID: '',
      SandboxKey: '',
      Ports: {},
      IPAddress: '',
      IPPrefixLen: 0,
      Gateway: '',
      MacAddress: '',
      Bridge: '',
      Networks: {
        bridge: { Aliases: null, DNSNames: null },
        own: { Aliases: ['db'], DNSNames: ['db', id.slice(0, 12)] },
      },
    },
  }
}
