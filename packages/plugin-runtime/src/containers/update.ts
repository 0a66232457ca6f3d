/** Changing limits and the restart policy of a container, running or not. @module */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Containers, HostConfig } from '@kernel/contracts'
import { conflict, failed } from '@kernel/contracts'
import type { Engine } from './engine.ts'
import { isRunning } from './record.ts'
import { checkResources, resourcesOf } from './resources.ts'
import { checkRestartPolicy } from './restart-policy.ts'

export async function updateContainer(
  engine: Engine,
  ref: string,
  change: Parameters<Containers['update']>[1],
): Promise<{ warnings: string[] }> {
  const record = engine.registry.resolve(ref)
  return engine.mutex.run(record.id, async () => {
    if (record.status === 'removing' || record.status === 'dead')
      throw conflict(`container is marked for removal and cannot be "update"`)
    const given = Object.fromEntries(
      Object.entries(change).filter(
        ([key, value]) =>
          value !== undefined &&
          value !== null &&
          value !== 0 &&
          !(key === 'RestartPolicy' && !(value as { Name?: string }).Name),
      ),
    )
    const next: HostConfig = { ...record.hostConfig, ...given }
    // NanoCpus and quota are two ways to say the same: the newer one counts.
    if (given.NanoCpus) {
      next.CpuPeriod = 0
      next.CpuQuota = 0
    } else if (given.CpuQuota || given.CpuPeriod) next.NanoCpus = 0
    const warnings = checkResources(next)
    checkRestartPolicy(next)
    // The restart policy is the daemon's own: the OCI runtime has nothing to do with it.
    if (isRunning(record) && Object.keys(given).some((key) => key !== 'RestartPolicy')) {
      try {
        const file = join(engine.bundle(record.id), 'resources.json')
        writeFileSync(file, JSON.stringify(resourcesOf(next)), { mode: 0o600 })
        await engine.runtime.update(record.id, file)
      } catch (cause) {
        throw failed(`Cannot update container ${record.id}: ${(cause as Error).message}`, { cause })
      }
    }
    record.hostConfig = next
    engine.registry.save(record)
    engine.publish(record, 'update')
    return { warnings }
  })
}
