import { describe, expect, it, vi } from 'vitest'
import { fuzzHttp2 } from './http2-fuzz.ts'
import { fuzzParser } from './parser-fuzz.ts'
import { fuzzTargets } from './target-fuzz.ts'
import { fuzzVisitors } from './visitor-fuzz.ts'

vi.setConfig({ testTimeout: 120_000 })

// A seed of its own, so that a failure comes again; `pnpm fuzz` takes others, and a hundred times as many.
describe('a seeded run of fuzzed', () => {
  it('requests means the same to the parser as to llhttp', async () => {
    const report = await fuzzParser(2026, 12_000)
    expect(report.disagreements).toEqual([])
    // All kinds were there.
    expect(report.accepted).toBeGreaterThan(5_000)
    expect(report.refused).toBeGreaterThan(5_000)
    expect(report.partial).toBeGreaterThan(100)
  })

  it('connections brings an app nothing that llhttp does not see', async () => {
    const report = await fuzzVisitors(2026, 1_000)
    expect(report).toMatchObject({ connections: 1_000, unanswered: 0, crashes: [], disagreements: [] })
    expect(report.served).toBeGreaterThan(400)
    expect(report.refused).toBeGreaterThan(400)
  })

  it('answers of a target are passed on whole, refused or cut', async () => {
    const report = await fuzzTargets(2026, 600)
    expect(report).toMatchObject({ hung: 0, crashes: [], disagreements: [] })
    expect(report.passed).toBeGreaterThan(200)
    expect(report.refused).toBeGreaterThan(100)
    expect(report.cut).toBeGreaterThan(20)
  })

  it('streams of HTTP/2 ends no thread', async () => {
    const report = await fuzzHttp2(2026, 200)
    expect(report).toMatchObject({ hung: [], crashes: [], failures: [] })
    expect(report.answered).toBeGreaterThan(50)
  })
})
