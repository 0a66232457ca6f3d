/** The deploys that run, and the records of those that ran. @module */
import { rm } from 'node:fs/promises'
import { conflict, type DeployInfo, type Deploys as DeploysService, notFound } from '@kernel/contracts'
import { readDeployLog } from './deploy-log.ts'
import { Cancelled, type DeployRun, deployLogPath } from './deploy-run.ts'
import type { Platform } from './platform.ts'
import type { AppQueue } from './queue.ts'
import type { DeployRecord } from './store/records.ts'

const isOver = ({ status }: DeployRecord) => status !== 'waiting' && status !== 'running'

export class Deploys implements DeploysService {
  readonly #platform: Platform
  readonly #queue: AppQueue
  readonly #running = new Map<string, DeployRun>()

  constructor(platform: Platform, queue: AppQueue) {
    this.#platform = platform
    this.#queue = queue
  }

  add(run: DeployRun): void {
    this.#running.set(run.id, run)
  }

  /** Its record and its output stay; those beyond the number that is kept go. */
  remove(run: DeployRun): void {
    if (this.#running.delete(run.id)) this.#prune(run.record.app)
  }

  /** The deploy of an app that has its turn now. */
  runningOf(app: string): DeployRun | undefined {
    return [...this.#running.values()].find(({ record }) => record.app === app && record.status === 'running')
  }

  /** Deploys that a kill cut off have failed. Their artifacts stay noted until they are removed. */
  endInterrupted(): void {
    const { store } = this.#platform
    for (const deploy of store.listDeploys()) {
      if (isOver(deploy)) continue
      const error = 'The daemon was stopped while the deploy ran'
      store.putDeploy({ ...deploy, status: 'failed', error, finished: new Date().toISOString() })
      this.#prune(deploy.app)
    }
  }

  async prune(app: string, keep?: number): Promise<{ removed: number }> {
    this.#platform.store.app(app)
    return { removed: this.#prune(app, keep) }
  }

  #prune(app: string, keep = this.#platform.settings.keepDeploys): number {
    const { store, log } = this.#platform
    const old = store.listDeploys(app).filter(isOver).slice(keep)
    for (const { id } of old) {
      store.deleteDeploy(id)
      rm(deployLogPath(this.#platform, id), { force: true }).catch((error) =>
        log.warn('The output of an old deploy could not be removed', { deploy: id, error }),
      )
    }
    return old.length
  }

  async list(
    app?: string,
    { limit = Number.POSITIVE_INFINITY }: { limit?: number } = {},
  ): Promise<DeployInfo[]> {
    const { store } = this.#platform
    if (app !== undefined) store.app(app)
    return store
      .listDeploys(app)
      .slice(0, limit)
      .map((record) => deployInfo(this.#running.get(record.id)?.record ?? record))
  }

  async inspect(id: string): Promise<DeployInfo> {
    return deployInfo(this.#record(id))
  }

  async *output(id: string, options: { follow?: boolean; signal?: AbortSignal } = {}) {
    const run = this.#running.get(id)
    if (run) {
      yield* run.log.read(options)
      return
    }
    this.#record(id)
    for (const line of await readDeployLog(deployLogPath(this.#platform, id))) {
      if (options.signal?.aborted) return
      yield line
    }
  }

  async cancel(id: string, by?: string): Promise<void> {
    const record = this.#record(id)
    if (isOver(record) || !this.#queue.cancel(id, new Cancelled(by)))
      throw conflict(`The deploy ${id} has ended: ${record.status}`)
  }

  /** Of a deploy that runs, memory knows more than the disk. */
  #record(id: string): DeployRecord {
    const record = this.#running.get(id)?.record ?? this.#platform.store.findDeploy(id)
    if (record === undefined) throw notFound(`There is no deploy ${id}`)
    return record
  }
}

function deployInfo({ artifact: _, ...info }: DeployRecord): DeployInfo {
  return info
}
