import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { cases } from './docker-api/cases.ts'
import { compare } from './docker-api/compare.ts'
import { fixtures } from './docker-api/fixtures.ts'
import { play } from './docker-api/play.ts'
import { recorded } from './docker-api/recorded.ts'
import { summarize, textReport } from './docker-api/report.ts'
import { lacks, lacksContainers } from './harness/host.ts'
import { useDaemon } from './harness/use-daemon.ts'

const lacking = lacksContainers('the Docker API, call by call') || lacks('its image', 'busybox')

describe.skipIf(lacking)('the Docker Engine API, beside what dockerd answered', () => {
  const lab = useDaemon()
  const dir = mkdtempSync(join(tmpdir(), 'docker-api-'))
  afterAll(() => rmSync(dir, { recursive: true }))

  it('is the same, or different for a reason', async () => {
    const list = cases(await fixtures(dir))
    const comparisons = compare(list, recorded(list).outcomes, await play(lab.daemon.socket, '1.41', list))
    const { calls, same, explained, unknown, different } = summarize(comparisons)
    expect(different, textReport(comparisons, true)).toBe(0)
    expect(same + explained + unknown).toBe(calls)
    expect(calls).toBeGreaterThan(300)
  }, 300_000)

  it('answers newer versions, and none, with the same status', async () => {
    const list = cases(await fixtures(mkdtempSync(join(dir, 'again-'))))
    const statuses = (outcomes: Awaited<ReturnType<typeof play>>) =>
      outcomes.map((outcome, index) => {
        const { method, path, note } = list[index]!
        return `${method} ${path} ${note}: ${typeof outcome === 'string' ? outcome : outcome.status}`
      })
    const old = statuses(await play(lab.daemon.socket, '1.41', list))
    expect(statuses(await play(lab.daemon.socket, '', list))).toEqual(old)
  }, 300_000)
})
