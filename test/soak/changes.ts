/** What is done to an app while visitors are there: pushes, rollbacks, settings, scale. @module */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Daemon } from '../harness/daemon.ts'
import { Repository } from '../harness/repository.ts'
import { soakApp } from './app.ts'
import { Load, type LoadOptions, type LoadReport } from './load.ts'

export interface SoakOptions extends Omit<LoadOptions, 'url'> {
  pushes: number
  rollbacks: number
  configs: number
  /** Each once up and once down. */
  scales: number
  seed: number
  /** Seconds that requests have before their connections are cut. */
  retireSec: number
  /** Between two changes. */
  pauseSec?: number
  /** Told of each change as it begins. */
  onChange?: (text: string) => void
}

/** Soaks one app of its own in the daemon. */
export async function soak(daemon: Daemon, app: string, options: SoakOptions): Promise<LoadReport> {
  const repository = await Repository.create(daemon, app, soakApp('v0'))
  await repository.deploy()
  await daemon.kernel(['checks:set', app, 'wait-to-retire', String(options.retireSec)])
  const load = new Load({ ...options, url: daemon.url(app) })
  let version = 0
  const work: Record<string, () => Promise<unknown>> = {
    async push() {
      await repository.commit(soakApp(`v${++version}`))
      await repository.deploy()
    },
    rollback: () => daemon.kernel(['releases:rollback', app]),
    config: () => daemon.kernel(['config:set', app, `CHANGE=${++version}`]),
    up: () => daemon.kernel(['ps:scale', app, 'web=3']),
    down: () => daemon.kernel(['ps:scale', app, 'web=1']),
  }
  try {
    await sleep(1_000)
    for (const change of orderOf(options)) {
      options.onChange?.(change)
      await work[change]!()
      await sleep((options.pauseSec ?? 0) * 1_000)
    }
    // What was replaced last is on its way out, with its downloads and WebSockets.
    await sleep((options.retireSec + 3) * 1_000)
  } finally {
    options.onChange?.('the end')
  }
  return load.stop()
}

/** All changes, mixed by the seed; a push comes before the first rollback, and an up before its down. */
function orderOf({ pushes, rollbacks, configs, scales, seed }: SoakOptions): string[] {
  const counts = { push: Math.max(0, pushes - 1), rollback: rollbacks, config: configs, scale: scales * 2 }
  const list = Object.entries(counts).flatMap(([change, count]) => Array<string>(count).fill(change))
  let state = seed >>> 0
  for (let i = list.length - 1; i > 0; i--) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    const j = Math.floor((state / 2 ** 32) * (i + 1))
    ;[list[i], list[j]] = [list[j]!, list[i]!]
  }
  let up = false
  const mixed = list.map((change) => {
    if (change !== 'scale') return change
    up = !up
    return up ? 'up' : 'down'
  })
  return pushes > 0 ? ['push', ...mixed] : mixed
}
