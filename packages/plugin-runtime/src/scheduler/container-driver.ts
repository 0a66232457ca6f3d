/**
 * The driver that runs workloads as containers. Workloads are ordinary containers with labels: `docker ps`
 * shows them, and nothing of them is kept elsewhere.
 * @module
 */
import {
  type ContainerCreate,
  type ContainerExit,
  type ContainerInspect,
  type Containers,
  conflict,
  type Networks,
  notFound,
  type ProcessStream,
  problemOf,
  type Scheduler,
  type Workload,
  type WorkloadSpec,
} from '@kernel/contracts'
import type { Logger } from '@kernel/kernel'
import { findInit } from '../containers/init-program.ts'
import type { ArtifactBuilder } from './artifacts.ts'
import { appLabel, identityOf, labelsOf } from './labels.ts'

/** Apps find each other here by name (`blog.web.1`) and by process type (`blog.web`). */
export const appNetwork = 'kernel-apps'

/** How long the exit code of a one-off that is gone already can still be asked for. */
const rememberExitMs = 10 * 60_000

export interface ContainerDriverOptions {
  containers: Containers
  networks: Networks
  artifacts: ArtifactBuilder
  log: Logger
}

interface OneOff {
  stream: ProcessStream | undefined
  exit: Promise<ContainerExit>
}

export function createContainerDriver({
  containers,
  networks,
  artifacts,
  log,
}: ContainerDriverOptions): Scheduler {
  const oneOffs = new Map<string, OneOff>()
  const init = hasInit()
  if (!init) log.warn('No init program was found (Debian: tini): apps that do not handle SIGTERM stop slowly')
  let network: Promise<void> | undefined

  /** Made at the first start, and again where somebody removed it. */
  function ensureNetwork(): Promise<void> {
    network ??= networks
      .inspect(appNetwork)
      .then(
        () => {},
        () =>
          networks
            .create({ Name: appNetwork, Labels: { 'kernel.network': 'apps' } })
            .then(() => {})
            .catch((error: unknown) => {
              if (problemOf(error)?.kind !== 'conflict') throw error
            }),
      )
      .finally(() => {
        network = undefined
      })
    return network
  }

  async function inspectWorkload(id: string): Promise<{ inspect: ContainerInspect; workload: Workload }> {
    const inspect = await containers.inspect(id).catch((error: unknown) => {
      if (problemOf(error)?.kind === 'not-found') throw notFound(`No such workload: ${id}`, { cause: error })
      throw error
    })
    const workload = toWorkload(inspect)
    if (!workload) throw notFound(`No such workload: ${id}`)
    return { inspect, workload }
  }

  async function start(spec: WorkloadSpec): Promise<Workload> {
    if (!(await artifacts.has(spec.artifact)))
      throw notFound(`The artifact ${spec.artifact} of ${spec.name} is gone; it can not be started.`)
    await ensureNetwork()
    const { id } = await containers.create(spec.name, toContainer(spec, init))
    try {
      if (spec.oneOff) await prepareOneOff(id)
      await containers.start(id)
      return (await inspectWorkload(id).catch(() => ({ workload: endedOneOff(id, spec) }))).workload
    } catch (error) {
      oneOffs.delete(id)
      await containers.remove(id, { force: true, volumes: true }).catch(() => {})
      throw error
    }
  }

  /** Attaches and waits before the first byte, since a one-off may be gone before anybody asks. */
  async function prepareOneOff(id: string): Promise<void> {
    const stream = await containers.attach(id, { stdin: true, stdout: true, stderr: true, stream: true })
    const exit = containers.wait(id, 'next-exit')
    oneOffs.set(id, { stream, exit })
    exit.then(
      () => setTimeout(() => oneOffs.delete(id), rememberExitMs).unref(),
      (error: unknown) => log.debug('A one-off was not waited for', { id, error }),
    )
  }

  return {
    describe: async () => ({ driver: 'container', isolated: true }),
    build: (request, onLine) => artifacts.build(request, onLine),
    start,
    inspect: async (id) => (await inspectWorkload(id)).workload,

    async list({ app, oneOff } = {}) {
      const label = app === undefined ? appLabel : `${appLabel}=${app}`
      const found = await containers.list({ all: true, filters: { label: [label] } })
      const workloads = await Promise.all(
        found.map(({ Id }) =>
          inspectWorkload(Id).then(
            ({ workload }) => workload,
            () => undefined,
          ),
        ),
      )
      return workloads.filter(
        (workload) => workload !== undefined && (oneOff === undefined || workload.oneOff === oneOff),
      ) as Workload[]
    },

    async rename(id, name) {
      await inspectWorkload(id)
      await containers.rename(id, name)
    },
    async stop(id, { signal, timeoutSec = 30 } = {}) {
      await inspectWorkload(id)
      await unlessNothingToDo(containers.stop(id, { signal, timeoutSec }))
    },
    async restart(id) {
      await inspectWorkload(id)
      await unlessNothingToDo(containers.start(id))
      return (await inspectWorkload(id)).workload
    },
    async freeze(id) {
      const { workload } = await inspectWorkload(id)
      if (workload.status === 'frozen') return
      if (workload.status !== 'running')
        throw conflict(`${workload.name} is ${workload.status}; only what runs can be frozen.`)
      // Nothing brings it back but `thaw`: not its end for want of memory, and no start after a reboot.
      await containers.update(id, { RestartPolicy: { Name: 'no', MaximumRetryCount: 0 } })
      await containers.pause(id)
    },
    async thaw(id) {
      const { workload, inspect } = await inspectWorkload(id)
      if (workload.status === 'frozen') {
        await containers.update(id, {
          RestartPolicy: restartPolicyOf(identityOf(inspect.Config.Labels)?.restart),
        })
        await containers.unpause(id)
      } else if (workload.status !== 'running')
        throw conflict(`${workload.name} is ${workload.status}; only what is frozen can be thawed.`)
      return (await inspectWorkload(id)).workload
    },
    async remove(id) {
      await inspectWorkload(id)
      await containers.remove(id, { force: true, volumes: true })
    },
    async wait(id, signal) {
      const known = oneOffs.get(id)
      if (known) return known.exit
      await inspectWorkload(id)
      // The first end counts, also of one that is started again; whichever of the two is told first.
      const over = new AbortController()
      const either = signal ? AbortSignal.any([signal, over.signal]) : over.signal
      const ends = (['next-exit', 'not-running'] as const).map((condition) =>
        containers.wait(id, condition, either),
      )
      try {
        return await Promise.race(ends)
      } finally {
        over.abort()
        await Promise.allSettled(ends)
      }
    },
    async logs(id, options) {
      await inspectWorkload(id)
      return containers.logs(id, { stdout: true, stderr: true, ...options })
    },
    async attach(id) {
      const known = oneOffs.get(id)
      if (!known) {
        await inspectWorkload(id)
        throw conflict(`${id} is not a one-off that was just started; it can not be attached to.`)
      }
      const { stream } = known
      if (!stream) throw conflict(`${id} has been attached to already.`)
      known.stream = undefined
      return stream
    },
    resize: (id, rows, columns) => containers.resize(id, rows, columns),

    async exec(id, { command, tty = false, stdin = false, env = {}, rows, columns }) {
      await inspectWorkload(id)
      const execId = await containers.execCreate(id, {
        Cmd: command,
        AttachStdin: stdin,
        AttachStdout: true,
        AttachStderr: true,
        Tty: tty,
        Env: Object.entries(env).map(([key, value]) => `${key}=${value}`),
      })
      // Before the start, so that the command never sees a terminal without a size.
      if (tty && rows && columns) await containers.execResize(execId, rows, columns)
      const stream = await containers.execStart(execId, { attach: true, tty })
      return {
        stream,
        exit: containers.execWait(execId),
        resize: (rows, columns) => containers.execResize(execId, rows, columns),
        async kill(signal = 'SIGTERM') {
          const { Running, Pid } = await containers.execInspect(execId)
          if (Running && Pid > 0) process.kill(Pid, signal)
        },
      }
    },
    removeArtifact: (ref) => artifacts.remove(ref),
    hasArtifact: (ref) => artifacts.has(ref),
    listArtifacts: () => artifacts.list(),
  }
}

/**
 * Programs rarely expect to be process 1, whose SIGTERM the kernel ignores unless it is handled: without an
 * init most apps would stop only by SIGKILL, after the whole grace period.
 */
function hasInit(): boolean {
  try {
    findInit()
    return true
  } catch {
    return false
  }
}

/** A one-off may have ended and be gone before it could be looked at. */
function endedOneOff(id: string, spec: WorkloadSpec): Workload {
  const { name, app, releaseId, processType, index, artifact } = spec
  const startedAt = new Date().toISOString()
  return {
    id,
    name,
    app,
    releaseId,
    processType,
    index,
    artifact,
    status: 'exited',
    restartCount: 0,
    startedAt,
    pid: 0,
    oneOff: true,
  }
}

async function unlessNothingToDo(work: Promise<void>): Promise<void> {
  try {
    await work
  } catch (error) {
    if (problemOf(error)?.kind !== 'not-modified') throw error
  }
}

const restartPolicyOf = (restart: WorkloadSpec['restart']) => ({
  Name: restart?.policy ?? 'no',
  MaximumRetryCount: restart?.maxRetries ?? 0,
})

function toContainer(spec: WorkloadSpec, init: boolean): ContainerCreate {
  const port = spec.port === undefined ? {} : { PORT: String(spec.port) }
  const env = Object.entries({ ...spec.env, ...port }).map(([key, value]) => `${key}=${value}`)
  const { restart, oneOff } = spec
  return {
    Image: spec.artifact,
    ...(spec.command ? { Entrypoint: [], Cmd: spec.command } : {}),
    Env: env,
    Labels: labelsOf(spec),
    Hostname: spec.name
      .replace(/[^a-zA-Z0-9-]+/g, '-')
      .slice(0, 63)
      .replace(/^-+|-+$/g, ''),
    ...(oneOff
      ? {
          Tty: oneOff.tty ?? false,
          OpenStdin: oneOff.stdin ?? false,
          StdinOnce: oneOff.stdin ?? false,
          AttachStdin: oneOff.stdin ?? false,
          AttachStdout: true,
          AttachStderr: true,
        }
      : {}),
    HostConfig: {
      NetworkMode: appNetwork,
      AutoRemove: oneOff !== undefined,
      // From the start: a program may ask for it before anybody could tell it later.
      ...(oneOff?.rows && oneOff.columns ? { ConsoleSize: [oneOff.rows, oneOff.columns] } : {}),
      RestartPolicy: restartPolicyOf(restart),
      Init: init,
      SecurityOpt: ['no-new-privileges'],
      ...(spec.memory ? { Memory: spec.memory } : {}),
      ...(spec.cpus ? { NanoCpus: Math.round(spec.cpus * 1e9) } : {}),
      ...(spec.pids ? { PidsLimit: spec.pids } : {}),
      Mounts: (spec.mounts ?? []).map(({ source, target, readOnly }) => ({
        Type: source.startsWith('/') ? 'bind' : 'volume',
        Source: source,
        Target: target,
        ReadOnly: readOnly ?? false,
      })),
    },
    NetworkingConfig: { EndpointsConfig: { [appNetwork]: { Aliases: [`${spec.app}.${spec.processType}`] } } },
  }
}

function toWorkload(inspect: ContainerInspect): Workload | undefined {
  const identity = identityOf(inspect.Config.Labels)
  if (!identity) return undefined
  const { State, NetworkSettings } = inspect
  const { port, restart: _, ...who } = identity
  const host = NetworkSettings.Networks[appNetwork]?.IPAddress || NetworkSettings.IPAddress
  const status = State.Restarting
    ? 'restarting'
    : State.Paused
      ? 'frozen'
      : State.Running
        ? 'running'
        : 'exited'
  return {
    ...who,
    id: inspect.Id,
    name: inspect.Name.replace(/^\//, ''),
    artifact: inspect.Image,
    status,
    ...(status === 'exited' ? { exitCode: State.ExitCode, oomKilled: State.OOMKilled } : {}),
    restartCount: inspect.RestartCount,
    startedAt: State.StartedAt,
    ...(port !== undefined && host ? { address: { host, port } } : {}),
    pid: State.Pid,
  }
}
