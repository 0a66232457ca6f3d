/** The whole plugin in a kernel of its own, over fakes of what is around it. @module */
import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import {
  AppConfig,
  AppLogs,
  Apps,
  Builders,
  Checks,
  type DeployLine,
  Deploys,
  Domains,
  Events,
  Processes,
  Releases,
  Repositories,
  Router,
  receiveBranch,
  Scheduler,
} from '@kernel/contracts'
import { memoryLogger, setupPlugin } from '@kernel/kernel/testing'
import appsPlugin from '../index.ts'
import { createOutput } from '../pipeline/output.ts'
import { FakeEvents } from './fake-events.ts'
import { FakeRouter } from './fake-router.ts'
import { type Behaviour, FakeScheduler } from './fake-scheduler.ts'

export type Tree = Record<string, string>

/** A source that the builder `procfile` builds. */
export const tree = (behaviour: Behaviour = {}, files: Tree = {}): Tree => ({
  Procfile: 'web: node server.js\nworker: node worker.js\n',
  'behaviour.json': JSON.stringify(behaviour),
  ...files,
})

export async function writeTree(dir: string, files: Tree): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(dir, name)), { recursive: true })
    await writeFile(join(dir, name), text)
  }
}

const rev = (n: number) => n.toString(16).padStart(40, '0')

/** What lives on while the daemon dies: the machine around it. */
export class World {
  readonly events = new FakeEvents()
  readonly scheduler = new FakeScheduler(this.events)
  readonly router = new FakeRouter()
  /** What was pushed, by commit. */
  readonly commits = new Map<string, Tree>()
  dataDir: string
  readonly #left: string[] = []
  #inUse = false
  #revs = 0

  constructor(dataDir: string) {
    this.dataDir = dataDir
  }

  /**
   * For a plugin that starts. One that was killed, not stopped, has let go of nothing in this process: the next one
   * finds what was on the disk in that moment, in another place.
   */
  async enter(): Promise<void> {
    if (this.#inUse) {
      this.#left.push(this.dataDir)
      const dataDir = await mkdtemp(join(tmpdir(), 'plugin-apps-'))
      await cp(this.dataDir, dataDir, { recursive: true })
      this.dataDir = dataDir
    }
    this.#inUse = true
  }

  leave(): void {
    this.#inUse = false
  }

  commit(files: Tree): string {
    this.#revs += 1
    const id = rev(0xabc0000 + this.#revs)
    this.commits.set(id, files)
    return id
  }

  async close(): Promise<void> {
    this.scheduler.close()
    // A plugin that was killed, not stopped, may still be writing.
    for (const dir of [this.dataDir, ...this.#left])
      await rm(dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 })
  }
}

export const newWorld = async () => new World(await mkdtemp(join(tmpdir(), 'plugin-apps-')))

/** `wrap` stands between the plugin and the services, for kills. */
export type Wrap = <T extends object>(name: string, service: T) => T

export const settings = { checkTimeoutSec: 2, attemptTimeoutSec: 1, waitToRetireSec: 5, uptimeSec: 0.02 }

export async function startPlugin(world: World, options: { config?: object; wrap?: Wrap } = {}) {
  const { wrap = (_, service) => service, config } = options
  await world.enter()
  const log = memoryLogger()
  const repositories: Repositories = {
    head: async () => undefined,
    checkout: (_, commit, dir) => writeTree(dir, world.commits.get(commit) ?? {}),
  }
  const plugin = await setupPlugin(appsPlugin, {
    config: { dataDir: world.dataDir, ...settings, ...config },
    log,
    services: [
      [Scheduler, wrap('scheduler', world.scheduler)],
      [Router, wrap('router', world.router)],
      [Events, wrap('events', world.events)],
      [Repositories, repositories],
    ],
  })
  const { provided, call, on } = plugin

  async function stop(): Promise<void> {
    await plugin.stop()
    world.leave()
  }

  /** Pushes as Git does; rejects with the reason. */
  async function push(
    app: string,
    files: Tree,
    { branch = 'main', onLine = () => {}, options = [] }: PushOptions = {},
  ): Promise<Pushed> {
    const lines: DeployLine[] = []
    const commit = world.commit(files)
    const output = createOutput((line) => {
      lines.push(line)
      onLine(line)
    })
    try {
      const answer = await call(receiveBranch, {
        app,
        branch,
        rev: commit,
        user: 'ada',
        pushOptions: options,
        checkout: (dir) => writeTree(dir, files),
        output,
      })
      return { ...(answer?.value as { release: string; urls: string[] }), rev: commit, lines }
    } catch (error) {
      throw Object.assign(error as Error, { lines, rev: commit })
    }
  }

  return {
    push,
    call,
    on,
    stop,
    log,
    apps: provided(Apps),
    config: provided(AppConfig),
    domains: provided(Domains),
    processes: provided(Processes),
    releases: provided(Releases),
    deploys: provided(Deploys),
    logs: provided(AppLogs),
    builders: provided(Builders),
    checks: provided(Checks),
  }
}
export type Running = Awaited<ReturnType<typeof startPlugin>>
interface PushOptions {
  branch?: string
  onLine?: (line: DeployLine) => void
  options?: string[]
}
export interface Pushed {
  release: string
  urls: string[]
  rev: string
  lines: DeployLine[]
}

/** Waits for an effect that comes in the background. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 4_000
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`${what}: not within 4 s`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

/** All that a failed deploy must leave as it was. */
export async function snapshot(world: World, plugin: Running, app: string) {
  const report = await plugin.apps.report(app)
  const { deploy: _, ...stable } = report
  return {
    report: stable,
    config: await plugin.config.all(app),
    releases: await plugin.releases.list(app),
    routes: await world.router.list(),
    workloads: (await world.scheduler.list()).map(({ id, name, status }) => ({ id, name, status })),
    artifacts: [...world.scheduler.artifacts.keys()].sort(),
    tmp: await readdir(join(world.dataDir, 'tmp')),
  }
}

export const textOf = (lines: DeployLine[]) => lines.map(({ kind, text }) => `${kind}: ${text}`).join('\n')

export const messageOf = (error: unknown): string => {
  let at = error
  while (at instanceof Error && at.cause instanceof Error && at.name === 'KernelError') at = at.cause
  return at instanceof Error ? at.message : String(at)
}
