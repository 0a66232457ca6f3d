/** Commands that run once in the artifact of a release: release tasks, predeploy, postdeploy. @module */
import { randomBytes } from 'node:crypto'
import { type DeployOutput, failed } from '@kernel/contracts'
import { shellCommand } from '../command-line.ts'
import { ignoreMissing } from '../failure.ts'
import type { Platform } from '../platform.ts'
import type { AppRecord, ReleaseRecord } from '../store/records.ts'
import { processEnv } from './launch.ts'
import { lineSplitter } from './output.ts'

export interface Task {
  app: AppRecord
  release: ReleaseRecord
  /** `release task`, `predeploy`: for output and process name. */
  name: string
  line: string
  output: DeployOutput
  signal: AbortSignal
}

/**
 * Runs a shell line to its end and shows its output.
 * @throws failed where it exits with another code than 0; the reason of the signal, after it is gone
 */
export async function runTask({ scheduler }: Platform, task: Task): Promise<void> {
  const { app, release, name, line, output, signal } = task
  signal.throwIfAborted()
  output.step(`Running ${name}: ${line}`)
  const type = name.split(' ')[0] as string
  const { id } = await scheduler.start({
    app: app.name,
    releaseId: release.id,
    processType: type,
    index: 1,
    name: `${app.name}.${type}.${release.id}.${randomBytes(3).toString('hex')}`,
    artifact: release.artifact,
    command: shellCommand(line),
    env: processEnv(app, release, `${type}.1`),
    oneOff: {},
  })
  const end = () => void scheduler.stop(id, { timeoutSec: 3 }).catch(() => {})
  signal.addEventListener('abort', end, { once: true })
  if (signal.aborted) end()
  try {
    const exit = scheduler.wait(id)
    exit.catch(() => {})
    const stream = await scheduler.attach(id)
    const splitters = { 1: lineSplitter(output.detail), 2: lineSplitter(output.detail) }
    for await (const { stream: number, data } of stream.output) splitters[number].push(data)
    splitters[1].end()
    splitters[2].end()
    const { exitCode } = await exit
    signal.throwIfAborted()
    if (exitCode !== 0) throw failed(`The ${name} failed: it exited with code ${exitCode}`)
  } finally {
    signal.removeEventListener('abort', end)
    await scheduler.stop(id, { timeoutSec: 3 }).catch(ignoreMissing)
    await scheduler.remove(id).catch(ignoreMissing)
  }
}
