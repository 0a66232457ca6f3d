/** A machine that loses its power, as far as the daemon can tell. @module */
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Daemon } from './daemon.ts'
import { findLeftovers, sweep } from './leftovers.ts'
import { until } from './until.ts'

/** Runs what is behind it with `file` as the number of this boot; nobody else sees that. */
const withBoot = ['unshare', '--mount', '--propagation', 'slave', 'sh', '-c']
const bind = 'mount --bind "$1" /proc/sys/kernel/random/boot_id && shift && exec "$@"'

export class Machine {
  readonly #dir = mkdtempSync(join(tmpdir(), 'kernel-machine-'))
  readonly #file = join(this.#dir, 'boot-id')

  constructor() {
    this.#boot()
  }

  close(): void {
    rmSync(this.#dir, { recursive: true, force: true })
  }

  get launcher(): string[] {
    return [...withBoot, bind, 'sh', this.#file]
  }

  /**
   * The power is cut and comes back: processes, mounts, namespaces, devices, rules and groups are gone, nobody
   * has written down how anything ended, and the kernel has a new number.
   */
  async powerCycle(daemon: Daemon): Promise<void> {
    await daemon.kill()
    // Who would write down an end must not live to see it.
    for (const line of (await findLeftovers(daemon.dataDir)).processes) end(Number.parseInt(line, 10))
    await until('the machine is off', async () => {
      const found = await findLeftovers(daemon.dataDir)
      await sweep(found)
      return found.processes.length + found.cgroups.length + found.links.length === 0
    })
    this.#boot()
  }

  #boot(): void {
    writeFileSync(this.#file, `${randomUUID()}\n`)
  }
}

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended.
  }
}
