import { describe, expect, it } from 'vitest'
import { runChaos } from './chaos/chaos.ts'
import { lacks, lacksContainers } from './harness/host.ts'

const lacking = lacksContainers('chaos') || lacks('chaos', 'docker', 'busybox', 'docker-registry')

describe.skipIf(lacking)('a daemon that is killed at moments of chance', () => {
  // pnpm chaos plays more rounds, with other seeds.
  it('loses nothing, leaves nothing and serves again', async () => {
    const { rounds, pushes, violations } = await runChaos({ rounds: 8, seed: 20_260_101 })
    const told = rounds.flatMap(({ number, operation, killedAt, violations }) =>
      violations.map((violation) => `round ${number}, ${operation} killed at ${killedAt} ms: ${violation}`),
    )
    expect([...told, ...violations]).toEqual([])
    expect([rounds.length, pushes]).toEqual([8, 1])
  }, 300_000)
})
