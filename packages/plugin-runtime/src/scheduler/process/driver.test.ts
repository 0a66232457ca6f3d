import { copyFile, mkdtemp, readdir, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { schedulerSuite } from '@kernel/contracts/testing'
import { memoryLogger } from '@kernel/kernel/testing'
import { openDatabase } from '@kernel/state'
import { describe, expect, it } from 'vitest'
import { createTreeArtifacts } from './artifacts.ts'
import { createProcessDriver } from './driver.ts'

const told: string[] = []

async function open(dataDir: string, file = 'runtime.db') {
  const db = openDatabase(join(dataDir, file), { sync: 'normal' })
  const artifacts = await createTreeArtifacts({ dataDir })
  const driver = await createProcessDriver({
    dataDir,
    db,
    artifacts,
    events: { publish: ({ Action, Actor }) => told.push(`${Action} ${Actor.ID}`) },
    instance: 'test',
    log: memoryLogger(),
  })
  return { driver, artifacts, db }
}

async function make() {
  const dataDir = await mkdtemp(join(tmpdir(), 'process-driver-'))
  const { driver, db } = await open(dataDir)
  return {
    subject: driver,
    async close() {
      await driver.close()
      db.close()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}

describe('keeps the contract of the scheduler', () => {
  for (const { name, run } of schedulerSuite(make)) it(name, run, 60_000)
})

it('ends what a killed daemon left running, and keeps the record', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'process-driver-'))
  const source = await mkdtemp(join(tmpdir(), 'process-source-'))
  const first = await open(dataDir)
  const plan = { builder: 'test', dockerfile: { text: '' }, host: { commands: [] }, processes: {} }
  const { ref } = await first.driver.build(
    { app: 'a', buildId: 'b', dir: source, plan, secretEnv: {} },
    () => {},
  )
  const spec = {
    app: 'a',
    releaseId: 'v1',
    processType: 'worker',
    index: 1,
    name: 'a.worker.1',
    artifact: ref,
    env: {},
  }
  const { id, pid } = await first.driver.start({ ...spec, command: ['/bin/sh', '-c', 'sleep 300'] })
  expect(() => process.kill(pid, 0)).not.toThrow()

  // What it had written is on the disk; its own hold on the file would end with it.
  for (const end of ['', '-wal'])
    await copyFile(join(dataDir, `runtime.db${end}`), join(dataDir, `after.db${end}`))
  const second = await open(dataDir, 'after.db')
  await first.driver.wait(id)
  expect(await second.driver.inspect(id)).toMatchObject({ name: 'a.worker.1', status: 'exited' })
  await second.driver.remove(id)
  expect(await readdir(join(dataDir, 'workloads'))).toEqual([])
  for (const { driver, db } of [first, second]) {
    await driver.close()
    db.close()
  }
  await Promise.all([dataDir, source].map((dir) => rm(dir, { recursive: true })))
})

it('tells of every end and start, and wakes who waits at the first end', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'process-driver-'))
  const { driver, db } = await open(dataDir)
  const source = await mkdtemp(join(tmpdir(), 'process-source-'))
  const plan = { builder: 'test', dockerfile: { text: '' }, host: { commands: [] }, processes: {} }
  const { ref } = await driver.build({ app: 'a', buildId: 'b', dir: source, plan, secretEnv: {} }, () => {})
  const { id } = await driver.start({
    app: 'a',
    releaseId: 'v1',
    processType: 'worker',
    index: 1,
    name: 'a.worker.1',
    artifact: ref,
    env: {},
    command: ['/bin/sh', '-c', 'sleep 0.1; exit 3'],
    restart: { policy: 'on-failure', maxRetries: 1 },
  })
  expect(await driver.wait(id)).toEqual({ exitCode: 3 })
  expect((await driver.inspect(id)).status).toBe('restarting')
  await expect
    .poll(() => told.filter((line) => line.endsWith(id)).map((line) => line.split(' ')[0]))
    .toEqual(['start', 'die', 'start', 'die'])
  await driver.close()
  db.close()
  await Promise.all([dataDir, source].map((dir) => rm(dir, { recursive: true })))
})

it('starts again on another port where its own was taken meanwhile', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'process-driver-'))
  const { driver, db } = await open(dataDir)
  const source = await mkdtemp(join(tmpdir(), 'process-source-'))
  const plan = { builder: 'test', dockerfile: { text: '' }, host: { commands: [] }, processes: {} }
  const { ref } = await driver.build({ app: 'a', buildId: 'b', dir: source, plan, secretEnv: {} }, () => {})
  const serve = `require('http').createServer((q, s) => s.end('mine')).listen(process.env.PORT, '127.0.0.1')`
  const { id, address } = await driver.start({
    app: 'a',
    releaseId: 'v1',
    processType: 'web',
    index: 1,
    name: 'a.web.1',
    artifact: ref,
    env: {},
    port: 5000,
    command: [process.execPath, '-e', serve],
  })
  await driver.stop(id)
  const thief = createServer((_, response) => void response.end('stolen'))
  await new Promise<void>((resolve) => thief.listen(address!.port, '127.0.0.1', resolve))
  const again = await driver.restart(id)
  expect(again.address?.port).not.toBe(address?.port)
  await expect
    .poll(() => fetch(`http://127.0.0.1:${again.address?.port}/`).then((answer) => answer.text()))
    .toBe('mine')
  thief.close()
  await driver.close()
  db.close()
  await Promise.all([dataDir, source].map((dir) => rm(dir, { recursive: true })))
})
