import { describe, expect, it } from 'vitest'
import { lacksContainers } from './harness/host.ts'
import { useDaemon } from './harness/use-daemon.ts'
import { soak } from './soak/changes.ts'

describe.skipIf(lacksContainers('deploys'))('visitors', () => {
  const lab = useDaemon()

  it('notice nothing of pushes, a rollback, a setting and scaling', { timeout: 180_000 }, async () => {
    const report = await soak(lab.daemon, 'soak', {
      pushes: 3,
      rollbacks: 1,
      configs: 1,
      scales: 1,
      rate: 100,
      seed: 4,
      webSockets: 6,
      downloads: 3,
      downloadSeconds: 8,
      retireSec: 2,
      // So that what is replaced is gone before the next, however quick the machine.
      pauseSec: 2.5,
    })
    expect(report.failures).toEqual([])
    expect(report.cut).toEqual([])
    expect(report.requests).toBeGreaterThan(500)
    expect(report.downloads).toBeGreaterThan(3)
    // Each was told of its end: by the edge, by the app, or it left by itself.
    expect(Object.keys(report.closes).filter((code) => !['1000', '1001', '1012'].includes(code))).toEqual([])
    expect(report.closes['1012']).toBeGreaterThan(6)
  })
})
