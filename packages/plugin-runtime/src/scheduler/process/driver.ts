/**
 * The driver that runs workloads as processes of this machine, for hosts that can't have containers. There is
 * no isolation: a workload can read what the daemon's user can read. They end with the daemon; plugin-apps
 * starts them again.
 * @module
 */
import { constants } from 'node:fs'
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import {
  type ContainerExit,
  conflict,
  type Events,
  failed,
  notFound,
  type ProcessStream,
  type Scheduler,
  type Workload,
  type WorkloadSpec,
} from '@kernel/contracts'
import type { Logger } from '@kernel/kernel'
import { collection, type Database, ensureDir, KeyedMutex, removeTree } from '@kernel/state'
import { ulid } from 'ulid'
import { staticServerFile } from '../../base-image/index.ts'
import { readLog } from '../../containers/log-reader.ts'
import { hostEnvironment, type TreeArtifacts } from './artifacts.ts'
import { freePort, isFree } from './free-port.ts'
import { processIdentity, sameProcess } from './identity.ts'
import { createLimitGroups } from './limits.ts'
import { type Supervisor, signalGroup, supervise } from './supervisor.ts'
import { terminalCommand } from './terminal.ts'

interface WorkloadRecord {
  spec: WorkloadSpec
  workload: Workload
  /** Of the process that ran last, so that one left by a killed daemon is found. */
  identity?: string
}

export interface ProcessDriverOptions {
  dataDir: string
  db: Database
  events: Pick<Events, 'publish'>
  artifacts: TreeArtifacts
  instance: string
  log: Logger
}

const warning = `Apps run as processes of this machine, WITHOUT ISOLATION: they can read and write what the daemon's
user can. This is for trying things out; \`kernel doctor\` says what containers need.`

export interface ProcessDriver extends Scheduler {
  /** Ends all workloads: they do not outlive the daemon. */
  close(): Promise<void>
}

export async function createProcessDriver({
  dataDir,
  db,
  artifacts,
  events,
  instance,
  log,
}: ProcessDriverOptions): Promise<ProcessDriver> {
  const records = collection<WorkloadRecord>(db, 'process-workloads')
  const supervisors = new Map<string, Supervisor>()
  const ports = new Set<number>()
  const mutex = new KeyedMutex()
  const limits = createLimitGroups(instance)
  const root = join(dataDir, 'workloads')
  await ensureDir(root)
  await clearLeftovers()

  /** The same words as for containers: whoever watches workloads need not know the driver. */
  function tell(
    action: 'start' | 'die',
    id: string,
    spec: WorkloadSpec,
    more: Record<string, string> = {},
  ): void {
    const attributes = { name: spec.name, app: spec.app, ...more }
    events.publish({ Type: 'container', Action: action, Actor: { ID: id, Attributes: attributes } })
  }

  /** Processes of a daemon that was killed are ended; one-offs of it are forgotten. */
  async function clearLeftovers(): Promise<void> {
    for (const [id, record] of records.entries()) {
      const { workload, identity, spec } = record
      if (workload.status !== 'exited') {
        if (identity && sameProcess(workload.pid, identity)) signalGroup(workload.pid, 'SIGKILL')
        records.put(id, { ...record, workload: { ...workload, status: 'exited', exitCode: 137, pid: 0 } })
      }
      if (spec.oneOff) await forget(id)
    }
  }

  function recordOf(id: string): WorkloadRecord {
    const record = records.get(id)
    if (!record) throw notFound(`No such workload: ${id}`)
    return record
  }
  const change = (id: string, fields: Partial<Workload>, identity?: string) =>
    records.update(
      id,
      (now) => now && { ...now, workload: { ...now.workload, ...fields }, ...(identity ? { identity } : {}) },
    )

  function assertNameFree(name: string, id?: string): void {
    const owner = records.entries().find(([other, { workload }]) => other !== id && workload.name === name)
    if (owner) throw conflict(`The name ${name} is taken by the workload ${owner[0]}.`)
  }

  async function forget(id: string): Promise<void> {
    const port = records.get(id)?.workload.address?.port
    if (port) ports.delete(port)
    await removeTree(join(root, id))
    limits.remove(id)
    records.delete(id)
    supervisors.delete(id)
  }

  function environment(id: string, spec: WorkloadSpec, port: number | undefined): Record<string, string> {
    const own: Record<string, string> = port === undefined ? {} : { PORT: String(port) }
    return {
      ...hostEnvironment(join(root, id, 'home')),
      KERNEL_STATIC_SERVER: staticServerFile(),
      ...spec.env,
      ...own,
    }
  }

  /** While it was down, another program may have taken its port, or what ran before may still be ending on it. */
  async function keepPort(id: string): Promise<void> {
    const port = recordOf(id).workload.address?.port
    if (port === undefined || (await isFree(port))) return
    const fresh = await freePort(ports)
    ports.delete(port)
    ports.add(fresh)
    change(id, { address: { host: '127.0.0.1', port: fresh } })
  }

  async function run(id: string): Promise<void> {
    const { spec, workload } = recordOf(id)
    if (!spec.command?.length)
      throw failed(`${spec.name} has no command.`, {
        hint: 'Give the app a Procfile, or a start script in package.json',
      })
    const folder = join(root, id)
    const argv = spec.oneOff?.tty ? terminalCommand(spec.command, spec.oneOff) : spec.command
    const supervisor = await supervise({
      argv,
      env: environment(id, spec, workload.address?.port),
      cwd: join(folder, 'app'),
      logFile: join(folder, 'log'),
      restart: spec.restart,
      attached: spec.oneOff !== undefined,
      limit: limits.create(id, spec),
      onChange(event) {
        if ('pid' in event) {
          change(
            id,
            {
              ...event,
              status: 'running',
              exitCode: undefined,
              restartCount: supervisors.get(id)?.restartCount ?? 0,
            },
            processIdentity(event.pid),
          )
          tell('start', id, spec)
          return
        }
        const { exit, restarting } = event
        change(id, { status: restarting ? 'restarting' : 'exited', exitCode: exit.exitCode, pid: 0 })
        if (!restarting && spec.oneOff) endOneOff(id)
        tell('die', id, spec, { exitCode: String(exit.exitCode) })
      },
    }).catch((error: Error) => {
      throw failed(`${spec.name} could not be started: ${error.message}`, { cause: error })
    })
    supervisors.set(id, supervisor)
  }

  /** Its exit code and output can still be asked for a while; its name and files are free at once. */
  function endOneOff(id: string): void {
    const supervisor = supervisors.get(id)
    void mutex.run(id, async () => {
      await forget(id)
      if (supervisor) supervisors.set(id, supervisor)
      setTimeout(() => supervisors.delete(id), 10 * 60_000).unref()
    })
  }

  async function start(spec: WorkloadSpec): Promise<Workload> {
    if (!(await artifacts.has(spec.artifact)))
      throw notFound(`The artifact ${spec.artifact} of ${spec.name} is gone; it can not be started.`)
    assertNameFree(spec.name)
    if (limits.reason && (spec.memory || spec.cpus || spec.pids))
      log.warn(`Limits of ${spec.name} are not enforced: ${limits.reason}`)
    const id = ulid().toLowerCase()
    const port = spec.port === undefined ? undefined : await freePort(ports)
    if (port) ports.add(port)
    const { name, app, releaseId, processType, index, artifact } = spec
    const address = port ? { address: { host: '127.0.0.1', port } } : {}
    const workload: Workload = {
      id,
      name,
      app,
      releaseId,
      processType,
      index,
      artifact,
      ...address,
      status: 'exited',
      restartCount: 0,
      startedAt: new Date().toISOString(),
      pid: 0,
      oneOff: spec.oneOff !== undefined,
    }
    assertNameFree(spec.name)
    records.put(id, { spec, workload })
    try {
      await ensureDir(join(root, id, 'home'))
      await cp(artifacts.dir(artifact), join(root, id, 'app'), {
        recursive: true,
        verbatimSymlinks: true,
        mode: constants.COPYFILE_FICLONE,
      })
      await run(id)
    } catch (error) {
      await forget(id)
      throw error
    }
    return records.get(id)?.workload ?? { ...workload, status: 'exited' }
  }

  async function stop(id: string, { signal = 'SIGTERM', timeoutSec = 30 } = {}): Promise<void> {
    const supervisor = supervisors.get(id)
    const name = (signal.startsWith('SIG') ? signal : `SIG${signal}`) as NodeJS.Signals
    if (supervisor && records.get(id)?.workload.status !== 'exited')
      await supervisor.stop(name, timeoutSec * 1000)
  }

  return {
    describe: async () => ({ driver: 'process', isolated: false, warning }),
    build: (request, onLine) => artifacts.build(request, onLine),
    start,
    inspect: async (id) => recordOf(id).workload,
    list: async ({ app, oneOff } = {}) =>
      records
        .list()
        .map(({ workload }) => workload)
        .filter((w) => (app === undefined || w.app === app) && (oneOff === undefined || w.oneOff === oneOff)),
    async rename(id, name) {
      recordOf(id)
      assertNameFree(name, id)
      change(id, { name })
    },
    stop: (id, options) =>
      mutex.run(id, () => {
        recordOf(id)
        return stop(id, options)
      }),
    restart: (id) =>
      mutex.run(id, async () => {
        if (recordOf(id).workload.status === 'exited') {
          await keepPort(id)
          await run(id)
        }
        return recordOf(id).workload
      }),
    freeze: (id) =>
      mutex.run(id, async () => {
        const { workload } = recordOf(id)
        if (workload.status === 'frozen') return
        if (workload.status !== 'running')
          throw conflict(`${workload.name} is ${workload.status}; only what runs can be frozen.`)
        supervisors.get(id)?.setFrozen(true)
        change(id, { status: 'frozen' })
      }),
    thaw: (id) =>
      mutex.run(id, async () => {
        const { workload } = recordOf(id)
        if (workload.status !== 'frozen' && workload.status !== 'running')
          throw conflict(`${workload.name} is ${workload.status}; only what is frozen can be thawed.`)
        supervisors.get(id)?.setFrozen(false)
        change(id, { status: 'running' })
        return recordOf(id).workload
      }),
    remove: (id) =>
      mutex.run(id, async () => {
        recordOf(id)
        await stop(id, { signal: 'SIGKILL' })
        await forget(id)
      }),
    async wait(id): Promise<ContainerExit> {
      const supervisor = supervisors.get(id)
      const restarting = records.get(id)?.workload.status === 'restarting'
      if (supervisor && !restarting) return supervisor.nextExit
      return { exitCode: recordOf(id).workload.exitCode ?? 0 }
    },
    async logs(id, options) {
      const { status } = recordOf(id).workload
      return readLog(
        join(root, id, 'log'),
        options,
        status === 'exited' ? undefined : supervisors.get(id)?.ended,
      )
    },
    async attach(id): Promise<ProcessStream> {
      const stream = supervisors.get(id)?.stream
      if (!stream) throw conflict(`${id} is not a one-off; it can not be attached to.`)
      return stream
    },
    async resize() {
      // The terminal has the size that it was opened with: script(1) takes no other.
    },
    async exec(id, { command, tty = false, env = {}, rows, columns }) {
      const { spec, workload } = recordOf(id)
      if (workload.status !== 'running') throw conflict(`${workload.name} is not running.`)
      const beside = await supervise({
        argv: tty ? terminalCommand(command, { rows, columns }) : command,
        env: { ...environment(id, spec, workload.address?.port), ...env },
        cwd: join(root, id, 'app'),
        logFile: '/dev/null',
        restart: undefined,
        attached: true,
        onChange: () => {},
      })
      return {
        stream: beside.stream!,
        exit: beside.ended,
        resize: async () => {},
        kill: (signal = 'SIGTERM') => beside.stop(signal as NodeJS.Signals, 10_000),
      }
    },
    removeArtifact: (ref) => artifacts.remove(ref),
    hasArtifact: (ref) => artifacts.has(ref),
    listArtifacts: () => artifacts.list(),
    async close() {
      await Promise.all([...records.keys()].map((id) => mutex.run(id, () => stop(id, { timeoutSec: 10 }))))
      limits.close()
    },
  }
}
