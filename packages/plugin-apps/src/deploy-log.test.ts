import { appendFile, mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { DeployLog, readDeployLog } from './deploy-log.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'deploy-log-'))
})
afterEach(() => rm(dir, { recursive: true }))

const fail = (error: Error) => {
  throw error
}
const textsOf = async (lines: AsyncIterable<{ text: string }>) => {
  const texts: string[] = []
  for await (const { text } of lines) texts.push(text)
  return texts
}

it('gives a reader what was written, then what comes, to the end', async () => {
  const log = new DeployLog(join(dir, 'log'), fail)
  log.write({ kind: 'step', text: 'one' })
  const reader = textsOf(log.read({ follow: true }))
  expect(await textsOf(log.read())).toEqual(['one'])
  log.write({ kind: 'step', text: 'two' })
  await log.close()
  expect(await reader).toEqual(['one', 'two'])
  expect((await readDeployLog(join(dir, 'log'))).map(({ text }) => text)).toEqual(['one', 'two'])
  expect((await stat(join(dir, 'log'))).mode & 0o777).toBe(0o600)
})

it('lets go of a reader that has enough', async () => {
  const log = new DeployLog(join(dir, 'log'), fail)
  const stop = new AbortController()
  const reader = textsOf(log.read({ follow: true, signal: stop.signal }))
  stop.abort()
  expect(await reader).toEqual([])
  await log.close()
})

it('has a bound, and says so', async () => {
  const log = new DeployLog(join(dir, 'log'), fail)
  for (let at = 0; at < 20_100; at++) log.write({ kind: 'detail', text: String(at) })
  await log.close()
  const kept = await readDeployLog(join(dir, 'log'))
  expect(kept).toHaveLength(20_001)
  expect(kept.at(-1)?.text).toBe('(more output is not kept)')
})

it('reads around a line that a crash cut off', async () => {
  const path = join(dir, 'log')
  const log = new DeployLog(path, fail)
  log.write({ kind: 'step', text: 'whole' })
  await log.close()
  await appendFile(path, '{"kind":"st')
  expect((await readDeployLog(path)).map(({ text }) => text)).toEqual(['whole'])
  expect(await readDeployLog(join(dir, 'none'))).toEqual([])
  expect(await readFile(path, 'utf8')).toContain('whole')
})

it('survives that it can not be written', async () => {
  const problems: Error[] = []
  const log = new DeployLog(join(dir, 'no', 'such', 'folder'), (error) => problems.push(error))
  log.write({ kind: 'step', text: 'one' })
  await new Promise((resolve) => setTimeout(resolve, 20))
  log.write({ kind: 'step', text: 'two' })
  await log.close()
  expect(problems.length).toBeGreaterThan(0)
  expect(await textsOf(log.read())).toEqual(['one', 'two'])
})
