/** Starting a container: root, network and configuration side by side, then conmon and the OCI runtime. @module */
import { writeFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { conflict, failed, invalid, notModified, problemOf } from '@kernel/contracts'
import { mkdirAllInRoot, mount, umountIfMounted } from '@kernel/sys'
import type { SandboxResult } from '../parts.ts'
import { remove } from './burial.ts'
import { conmonCreate, conmonResize } from './conmon.ts'
import { sandboxRequest } from './create.ts'
import type { Engine } from './engine.ts'
import { startHealthcheck } from './health.ts'
import { findInit } from './init-program.ts'
import { requireLinked } from './links.ts'
import { logPolicyOf } from './log-files.ts'
import { writeNetworkFiles } from './network-files.ts'
import { DEFAULT_SHM } from './oci-defaults.ts'
import { explainStart, OciError } from './oci-runtime.ts'
import { identify } from './process-identity.ts'
import { type ContainerRecord, isRunning, now } from './record.ts'
import { settle } from './settle.ts'
import { specOf } from './spec.ts'

/** @throws not-modified where it runs; invalid with the OCI runtime's words; what networks/ and volumes/ throw */
export async function startContainer(engine: Engine, ref: string): Promise<void> {
  const { id } = engine.registry.resolve(ref)
  await engine.mutex.run(id, async () => {
    const record = engine.registry.resolve(id)
    if (record.status === 'paused') throw conflict('cannot start a paused container, try unpause instead')
    if (isRunning(record)) throw notModified(`container ${id} is already running`)
    if (record.status === 'removing' || record.status === 'dead')
      throw conflict('container is marked for removal and cannot be started')
    const live = engine.live(record)
    live.restart?.cancel()
    live.backoffMs = undefined
    record.manuallyStopped = false
    record.restartCount = 0
    await launch(engine, record)
  })
}

/** Starts what is known to be stopped; the caller holds the container's lock. Failing, it leaves nothing behind. */
export async function launch(engine: Engine, record: ContainerRecord): Promise<void> {
  const { id } = record
  const live = engine.live(record)
  await live.cleaning
  try {
    const sandbox = await bringUp(engine, record)
    record.status = 'running'
    record.startedAt = now()
    record.exitCode = 0
    record.error = ''
    record.oomKilled = false
    record.intent = undefined
    record.sandbox = sandbox
    record.endpoints = sandbox.endpoints
    engine.registry.save(record)
    engine.publish(record, 'start')
    engine.exits.expect(id, (exitCode) => engine.exited(record, exitCode))
    engine.rotation.watch(id, engine.bundle(id), engine.logPath(id), logPolicyOf(record.hostConfig.LogConfig))
    if (live.size) conmonResize(engine.bundle(id), ...live.size)
    startHealthcheck(engine, record)
  } catch (error) {
    await takeDown(engine, record)
    throw await noteFailure(engine, record, error)
  }
}

async function bringUp(engine: Engine, record: ContainerRecord): Promise<SandboxResult> {
  const { id, config, hostConfig } = record
  const bundle = engine.bundle(id)
  engine.exits.clear(id)
  const joined = joinedNamespaces(engine, record)
  requireLinked(engine.registry, record)
  const [rootfs, sandbox] = await settle([
    engine.snapshots.mount(id),
    engine.sandboxes.up(sandboxRequest(record)),
    mkdir(bundle, { recursive: true, mode: 0o700 }),
  ])
  await engine.volumes.populate(record.mounts, rootfs)
  if (config.WorkingDir && config.WorkingDir !== '/') mkdirAllInRoot(rootfs, config.WorkingDir)
  const spec = specOf({
    id,
    argv: [record.path, ...record.args],
    config,
    hostConfig,
    rootfs,
    mounts: record.mounts,
    dir: bundle,
    files: writeNetworkFiles(bundle, config.Hostname ?? '', sandbox),
    hostname: config.Hostname ?? '',
    netns: sandbox.netns,
    joined: joined.namespaces,
    sharedShm: joined.shm ?? shareableShm(record, bundle),
    init: hostConfig.Init ? findInit() : undefined,
    cgroupParent: engine.cgroupParent,
    cgroup: engine.host.cgroup,
  })
  writeFileSync(join(bundle, 'config.json'), JSON.stringify(engine.seccomp.apply(spec)), { mode: 0o600 })

  const policy = logPolicyOf(hostConfig.LogConfig)
  const pid = await conmonCreate(engine.conmon, engine.runtime, {
    id,
    name: record.name,
    bundle,
    exitDir: engine.dirs.exits,
    logPath: policy.driver === 'none' ? undefined : engine.logPath(id),
    logSizeMax: policy.maxFile === 1 && Number.isFinite(policy.maxSize) ? policy.maxSize : undefined,
    tty: config.Tty === true,
    stdin: config.OpenStdin === true,
    leaveStdinOpen: config.Tty === true || config.StdinOnce !== true,
  })
  engine.seccomp.learn(spec, id)
  record.process = identify(pid)
  engine.live(record).console.open(bundle, pid)
  await engine.runtime.start(id)
  return sandbox
}

/** Undoes a start, in the order that lets the next one succeed. */
async function takeDown(engine: Engine, record: ContainerRecord): Promise<void> {
  const { id } = record
  engine.exits.clear(id)
  const failures = await Promise.allSettled([
    engine.runtime.delete(id).then(() => engine.snapshots.unmount(id)),
    engine.sandboxes.down(id),
  ])
  umountIfMounted(join(engine.bundle(id), 'shm'))
  for (const failure of failures)
    if (failure.status === 'rejected')
      engine.log.debug(
        `clean-up after a failed start of ${record.name}: ${(failure.reason as Error).message}`,
      )
}

/** Records why it did not start, in dockerd's words and codes; the container stays as it was. */
async function noteFailure(engine: Engine, record: ContainerRecord, error: unknown): Promise<Error> {
  let problem = problemOf(error) as Error | undefined
  let exitCode = 128
  if (error instanceof OciError) {
    const why = explainStart(error.message, record.path)
    exitCode = why.exitCode
    const text = `failed to create task for container: failed to create shim task: OCI runtime create failed: ${engine.runtime.kind} create failed: unable to start container process: ${why.message}: unknown`
    problem = exitCode === 128 ? failed(text, { cause: error }) : invalid(text, { cause: error })
  }
  problem ??= failed(`failed to start container ${record.name}: ${(error as Error).message}`, {
    cause: error,
  })
  record.status = record.status === 'created' ? 'created' : 'exited'
  record.exitCode = exitCode
  record.error = problem.message
  record.intent = undefined
  record.process = undefined
  record.sandbox = undefined
  engine.registry.save(record)
  engine.live(record).console.end()
  if (record.hostConfig.AutoRemove) await remove(engine, record, { volumes: true })
  return problem
}

/** A /dev/shm that others may join lives on the host, since nothing can be bound out of a container. */
function shareableShm(record: ContainerRecord, bundle: string): string | undefined {
  if (record.hostConfig.IpcMode !== 'shareable') return undefined
  const path = join(bundle, 'shm')
  umountIfMounted(path)
  mkdirAllInRoot(bundle, 'shm', 0o777)
  mount('shm', path, 'tmpfs', 0x2 | 0x4 | 0x8, `mode=1777,size=${record.hostConfig.ShmSize || DEFAULT_SHM}`)
  return path
}

function joinedNamespaces(engine: Engine, { hostConfig }: ContainerRecord) {
  const target = (mode: string | undefined): ContainerRecord | undefined => {
    const ref = /^container:(.+)$/.exec(mode ?? '')?.[1]
    if (!ref) return undefined
    const other = engine.registry.resolve(ref)
    if (!isRunning(other))
      throw conflict(`cannot join namespace of a non running container: container ${ref} is ${other.status}`)
    return other
  }
  const path = (other: ContainerRecord | undefined, kind: string) =>
    other ? `/proc/${other.process?.pid}/ns/${kind}` : undefined
  const ipc = target(hostConfig.IpcMode)
  return {
    namespaces: { pid: path(target(hostConfig.PidMode), 'pid'), ipc: path(ipc, 'ipc') },
    shm: ipc && (ipc.hostConfig.IpcMode === 'host' ? '/dev/shm' : join(engine.bundle(ipc.id), 'shm')),
  }
}
