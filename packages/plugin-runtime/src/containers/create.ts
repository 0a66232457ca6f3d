/** Making a container: checked whole, recorded, not yet running. @module */
import { randomBytes } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import os from 'node:os'
import type { ContainerCreate, HostConfig } from '@kernel/contracts'
import { conflict, invalid, problemOf } from '@kernel/contracts'
import type { SandboxRequest } from '../parts.ts'
import { collect } from './burial.ts'
import { capabilitiesOf, missingCapabilities } from './capabilities.ts'
import { argvOf, checkConfig, mergeImageConfig } from './config-merge.ts'
import { checkModes, checkNetworkOptions, checkProcessors, checkUnavailable } from './create-checks.ts'
import type { Engine } from './engine.ts'
import { checkLinks } from './links.ts'
import { logPolicyOf } from './log-files.ts'
import { checkName, randomName } from './names.ts'
import { DEFAULT_SHM, MASKED_PATHS, READONLY_PATHS } from './oci-defaults.ts'
import { type ContainerRecord, NEVER, now, shortId } from './record.ts'
import { checkResources } from './resources.ts'
import { checkRestartPolicy } from './restart-policy.ts'
import { rlimitsOf } from './rlimits.ts'
import { securityOptionsOf } from './security-options.ts'
import { settle } from './settle.ts'
import { signalNumber } from './signals.ts'
import { inheritedMounts } from './volumes-from.ts'

/** @throws not-found for image, network or volume; conflict where the name is taken; invalid */
export async function createContainer(
  engine: Engine,
  name: string | undefined,
  body: ContainerCreate,
): Promise<{ id: string; warnings: string[] }> {
  const { HostConfig: asked, NetworkingConfig, ...rest } = body
  const { registry } = engine
  const hostConfig = withDefaults(asked ?? {})
  const warnings = checkHostConfig(hostConfig)
  checkConfig(rest)
  if (rest.StopSignal) signalNumber(rest.StopSignal)

  const id = randomBytes(32).toString('hex')
  const chosen = name ? checkName(name) : randomName(registry.isTaken)
  registry.reserve(chosen, id)
  try {
    const image = await engine.images.resolve(rest.Image)
    const config = mergeImageConfig(rest, image.config.config)
    checkConfig(config)
    const [path, ...args] = argvOf(config)
    config.Hostname ||= hostConfig.NetworkMode === 'host' ? os.hostname() : shortId(id)
    const record: ContainerRecord = {
      id,
      name: chosen,
      created: now(),
      image: image.id,
      path,
      args,
      config,
      hostConfig,
      status: 'created',
      exitCode: 0,
      error: '',
      oomKilled: false,
      startedAt: NEVER,
      finishedAt: NEVER,
      restartCount: 0,
      manuallyStopped: false,
      mounts: [],
      endpoints: { ...NetworkingConfig?.EndpointsConfig },
    }
    const inherited = await notAsMissing(async () => {
      checkJoined(engine, record)
      checkLinks(registry, record)
      await engine.sandboxes.validate(sandboxRequest(record))
      return inheritedMounts(registry, hostConfig.VolumesFrom)
    })
    registry.conceive(id)
    try {
      const [mounts] = await settle([
        engine.volumes.resolve(id, config, hostConfig, inherited),
        engine.snapshots.prepare(id, image.config.rootfs.diff_ids),
        mkdir(engine.bundle(id), { mode: 0o700 }),
      ])
      record.mounts = mounts
      registry.bear(record)
    } catch (error) {
      await collect(engine, { id, removeVolumes: true })
      throw error
    }
    engine.publish(record, 'create')
    return { id, warnings }
  } catch (error) {
    registry.release(chosen, id)
    throw error
  }
}

/**
 * Not-found means the image to clients: they pull it and ask again. Anything else that is not there is a wrong
 * request.
 */
async function notAsMissing<T>(check: () => Promise<T>): Promise<T> {
  try {
    return await check()
  } catch (error) {
    const problem = problemOf(error)
    throw problem?.kind === 'not-found' ? invalid(problem.message, { cause: error }) : error
  }
}

/** What networks/ needs to know of a container. */
export function sandboxRequest(record: ContainerRecord): SandboxRequest {
  return {
    containerId: record.id,
    name: record.name,
    hostname: record.config.Hostname ?? shortId(record.id),
    domainname: record.config.Domainname ?? '',
    config: record.config,
    hostConfig: record.hostConfig,
    endpoints: record.endpoints,
  }
}

/** As dockerd fills it in, so that inspect shows what is in force. */
function withDefaults(asked: HostConfig): HostConfig {
  const security = securityOptionsOf(asked.SecurityOpt)
  const unconfined = asked.Privileged === true || security.unconfinedPaths
  return {
    ...asked,
    NetworkMode: asked.NetworkMode || 'default',
    RestartPolicy: {
      Name: asked.RestartPolicy?.Name || 'no',
      MaximumRetryCount: asked.RestartPolicy?.MaximumRetryCount ?? 0,
    },
    LogConfig: { Type: asked.LogConfig?.Type || 'json-file', Config: asked.LogConfig?.Config ?? {} },
    IpcMode: asked.IpcMode || 'private',
    ShmSize: asked.ShmSize || DEFAULT_SHM,
    Runtime: asked.Runtime || 'runc',
    MaskedPaths: asked.MaskedPaths ?? (unconfined ? [] : MASKED_PATHS),
    ReadonlyPaths: asked.ReadonlyPaths ?? (unconfined ? [] : READONLY_PATHS),
  }
}

/** Names that all mean the one OCI runtime that the probe of the host found. */
const RUNTIMES = new Set(['runc', 'crun', 'io.containerd.runc.v2'])

/** @returns warnings; @throws invalid */
function checkHostConfig(host: HostConfig): string[] {
  checkRestartPolicy(host)
  logPolicyOf(host.LogConfig)
  if (!RUNTIMES.has(host.Runtime ?? 'runc')) throw invalid(`unknown or invalid runtime name: ${host.Runtime}`)
  capabilitiesOf({ privileged: host.Privileged, add: host.CapAdd, drop: host.CapDrop })
  if ((host.ShmSize ?? 0) < 0) throw invalid('SHM size can not be less than 0')
  checkModes(host)
  checkNetworkOptions(host)
  checkProcessors(host)
  checkUnavailable(host)
  const missing = missingCapabilities(host.CapAdd)
  return [
    ...checkResources(host),
    ...rlimitsOf(host.Ulimits).warnings,
    ...(missing.length > 0 ? [`This machine does not have ${missing.join(', ')}; left out.`] : []),
  ]
}

/** Containers whose namespaces are joined must be there; that they run is checked at the start. */
function checkJoined({ registry }: Engine, { hostConfig }: ContainerRecord): void {
  for (const mode of [hostConfig.PidMode, hostConfig.IpcMode]) {
    const target = /^container:(.+)$/.exec(mode ?? '')?.[1]
    if (target) registry.resolve(target)
  }
  const donor = /^container:(.+)$/.exec(hostConfig.IpcMode ?? '')?.[1]
  if (donor && !['shareable', 'host'].includes(registry.resolve(donor).hostConfig.IpcMode ?? ''))
    throw conflict(
      `cannot join IPC of container ${donor}: non-shareable IPC (hint: use IpcMode:shareable for the donor container)`,
    )
}
