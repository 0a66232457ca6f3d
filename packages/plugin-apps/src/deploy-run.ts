/** One deploy: its record, its output, its stages, and what it would take back. @module */
import { join } from 'node:path'
import type { DeployOutput, DeployStage, OnLine, ReleaseInfo } from '@kernel/contracts'
import { Problem } from '@kernel/contracts'
import { monotonicFactory } from 'ulid'
import { DeployLog } from './deploy-log.ts'
import { asProblem } from './failure.ts'
import { createOutput } from './pipeline/output.ts'
import { announce, type Platform } from './platform.ts'
import { Superseded } from './queue.ts'
import type { DeployRecord } from './store/records.ts'

const nextId = monotonicFactory()

export const deployLogPath = ({ appsDir }: Platform, id: string) => join(appsDir, 'deploys', `${id}.ndjson`)

export interface DeployStart {
  app: string
  source: ReleaseInfo['source']
  gitRev?: string
  user?: string
}

export class DeployRun {
  readonly output: DeployOutput
  readonly log: DeployLog
  readonly #platform: Platform
  #record: DeployRecord
  #begun = performance.now()

  /** @param onLine whoever asked for it and reads along */
  constructor(platform: Platform, { app, source, gitRev, user }: DeployStart, onLine: OnLine = () => {}) {
    this.#platform = platform
    this.#record = platform.store.putDeploy({
      id: nextId(),
      app,
      status: 'waiting',
      source,
      ...(gitRev !== undefined && { gitRev }),
      ...(user !== undefined && { user }),
      started: new Date().toISOString(),
      spans: [],
    })
    this.log = new DeployLog(deployLogPath(platform, this.id), (error) =>
      platform.log.warn('The output of a deploy is not kept', { deploy: this.id, error }),
    )
    this.output = createOutput(this.log.write, onLine)
  }

  get id(): string {
    return this.#record.id
  }

  get record(): DeployRecord {
    return this.#record
  }

  begin(): void {
    this.#begun = performance.now()
    this.note({ status: 'running' })
    this.#announce('start')
  }

  /** Changes the record and writes it to the disk. */
  change(change: Partial<DeployRecord>): void {
    this.#record = this.#platform.store.putDeploy({ ...this.#record, ...change })
  }

  /** For what is worth no write of its own: a deploy that a kill cuts off has failed, whatever it had noted. */
  note(change: Partial<DeployRecord>): void {
    this.#record = { ...this.#record, ...change }
  }

  /** Runs a stage and notes how long it took, also where it fails. */
  async stage<T>(stage: DeployStage, work: () => Promise<T>): Promise<T> {
    const begun = performance.now()
    this.#announce('stage', { stage })
    try {
      return await work()
    } finally {
      this.addSpan(stage, performance.now() - begun)
    }
  }

  addSpan(stage: DeployStage, ms: number): void {
    this.note({ spans: [...this.#record.spans, { stage, ms: Math.round(ms * 10) / 10 }] })
  }

  /** Adds a stage that ended after the deploy did; the app may have been renamed or destroyed by then. */
  amendSpan(stage: DeployStage, ms: number): void {
    const { store } = this.#platform
    this.addSpan(stage, ms)
    const kept = store.findDeploy(this.id)
    if (kept) store.putDeploy({ ...kept, spans: this.#record.spans })
  }

  /** `build 0.31s  start 0.09s` */
  spanLine(): string {
    const total = ((performance.now() - this.#begun) / 1000).toFixed(2)
    const spans = this.#record.spans.map(({ stage, ms }) => `${stage} ${(ms / 1000).toFixed(2)}s`)
    return [...spans, `total ${total}s`].join('  ')
  }

  /** The record of a success, to be written in the transaction of the switch. */
  succeed(release: string): void {
    this.change({ status: 'succeeded', release, finished: new Date().toISOString(), artifact: undefined })
  }

  async finish(): Promise<void> {
    this.#announce('finish')
    await this.log.close()
  }

  /** Notes the failure; the error is written to the kept output, and thrown to whoever reads along. */
  async fail(error: unknown): Promise<void> {
    const problem = asProblem(error)
    this.log.write({ kind: 'error', text: problem.message })
    if (problem.hint !== '') this.log.write({ kind: 'error', text: problem.hint })
    this.change({
      status: statusOf(problem),
      error: problem.message,
      finished: new Date().toISOString(),
      artifact: undefined,
    })
    await this.finish()
  }

  #announce(action: string, more: Record<string, string> = {}): void {
    const { app, status, release, source } = this.#record
    announce(this.#platform, 'deploy', action, this.id, {
      app,
      status,
      source,
      ...(release !== undefined && { release }),
      ...more,
    })
  }
}

/** What ends a deploy that somebody cancelled. */
export class Cancelled extends Problem {
  constructor(by?: string) {
    super('failed', `The deploy was cancelled${by === undefined ? '' : ` by ${by}`}`)
  }
}

function statusOf(problem: Problem): DeployRecord['status'] {
  if (problem instanceof Superseded) return 'superseded'
  return problem instanceof Cancelled ? 'cancelled' : 'failed'
}
