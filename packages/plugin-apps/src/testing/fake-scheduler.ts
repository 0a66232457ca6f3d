/**
 * A scheduler in memory. Web processes are real TCP servers of this process, so that checks are real. What a
 * process does is told by `behaviour.json` of the source it was built from.
 * @module
 */
import { createHash, randomBytes } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import {
  type Artifact,
  type BuildLine,
  type BuildRequest,
  type ContainerExit,
  conflict,
  failed,
  type LogEntry,
  type LogOptions,
  notFound,
  type OutputChunk,
  type ProcessStream,
  type Scheduler,
  type Workload,
  type WorkloadSpec,
} from '@kernel/contracts'
import type { FakeEvents } from './fake-events.ts'

/** By process type: `ok`, `exit` (at once, code 1), `silent` (runs, answers nothing), `status:500`,
 * `loop` (ends and is started again, of which `wait` does not tell). One-offs: `exit:N`. */
export interface Behaviour {
  build?: 'fail' | 'hang'
  expose?: string
  content?: string
  [processType: string]: string | undefined
}

interface Process {
  workload: Workload
  spec: WorkloadSpec
  behaviour: string
  server?: Server
  exit: PromiseWithResolvers<ContainerExit>
  log: LogEntry[]
  changed: PromiseWithResolvers<void>
}

export class FakeScheduler implements Scheduler {
  readonly processes = new Map<string, Process>()
  readonly artifacts = new Map<string, Behaviour>()
  readonly builds: BuildRequest[] = []
  readonly specs: WorkloadSpec[] = []
  /** `stop web.1`, ... in order. */
  readonly journal: string[] = []
  /** Requests that each web process has answered. */
  readonly asked = new Map<string, number>()
  /** Commands that were run beside a process. */
  readonly executed: string[][] = []
  /** Makes the next call of a method fail. */
  readonly failNext = new Map<keyof Scheduler, Error>()
  buildGate: Promise<unknown> = Promise.resolve()
  /** Called before a process is stopped or removed. */
  beforeEnd: (workload: Workload) => void = () => {}
  readonly #events: FakeEvents
  #starts = 0

  constructor(events: FakeEvents) {
    this.#events = events
  }

  async describe() {
    return { driver: 'container' as const, isolated: true }
  }

  async build(request: BuildRequest, onLine: (line: BuildLine) => void): Promise<Artifact> {
    this.#fail('build')
    this.builds.push({ ...request })
    onLine({ kind: 'step', text: 'Step 1' })
    const text = await readFile(join(request.dir, 'behaviour.json'), 'utf8').catch(() => '{}')
    const behaviour = JSON.parse(text) as Behaviour
    const aborted = new Promise<never>((_, reject) =>
      request.signal?.addEventListener('abort', () => reject(request.signal?.reason)),
    )
    aborted.catch(() => {})
    await Promise.race([this.buildGate, aborted])
    if (behaviour.build === 'hang') await aborted
    if (behaviour.build === 'fail') {
      onLine({ kind: 'error', text: 'cc: no such file' })
      throw failed('The build failed: step 1 exited with code 2')
    }
    const hash = createHash('sha256')
    for (const name of (await readdir(request.dir)).sort())
      hash.update(`${name}\0${await readFile(join(request.dir, name)).catch(() => '')}\0`)
    const ref = `sha256:${hash.digest('hex')}`
    this.artifacts.set(ref, behaviour)
    const ExposedPorts = behaviour.expose ? { [behaviour.expose]: {} as Record<string, never> } : undefined
    return { ref, size: 1000, config: { ...(ExposedPorts && { ExposedPorts }) } }
  }

  async start(spec: WorkloadSpec): Promise<Workload> {
    this.#fail('start')
    const behaviours = this.artifacts.get(spec.artifact)
    if (behaviours === undefined) throw notFound(`There is no artifact ${spec.artifact}`)
    if ([...this.processes.values()].some(({ workload }) => workload.name === spec.name))
      throw conflict(`The name ${spec.name} is taken`)
    this.specs.push(spec)
    const process: Process = {
      spec,
      behaviour: behaviours[spec.processType] ?? 'ok',
      exit: Promise.withResolvers(),
      log: [],
      changed: Promise.withResolvers(),
      workload: {
        id: randomBytes(32).toString('hex'),
        name: spec.name,
        app: spec.app,
        releaseId: spec.releaseId,
        processType: spec.processType,
        index: spec.index,
        artifact: spec.artifact,
        status: 'running',
        restartCount: 0,
        startedAt: new Date().toISOString(),
        pid: 1,
        oneOff: spec.oneOff !== undefined,
      },
    }
    this.processes.set(process.workload.id, process)
    this.journal.push(`start ${spec.processType}.${spec.index}`)
    await this.#run(process)
    return { ...process.workload }
  }

  async inspect(id: string): Promise<Workload> {
    this.#fail('inspect')
    return structuredClone(this.#process(id).workload)
  }

  async list({ app, oneOff }: { app?: string; oneOff?: boolean } = {}): Promise<Workload[]> {
    this.#fail('list')
    return [...this.processes.values()]
      .map(({ workload }) => structuredClone(workload))
      .filter(
        (one) => (app === undefined || one.app === app) && (oneOff === undefined || one.oneOff === oneOff),
      )
  }

  async rename(id: string, name: string): Promise<void> {
    this.#fail('rename')
    if ([...this.processes.values()].some(({ workload }) => workload.name === name && workload.id !== id))
      throw conflict(`The name ${name} is taken`)
    this.#process(id).workload.name = name
  }

  async stop(id: string): Promise<void> {
    this.#fail('stop')
    const process = this.#process(id)
    this.beforeEnd(process.workload)
    this.journal.push(`stop ${process.workload.processType}.${process.workload.index}`)
    if (process.workload.status !== 'exited') await this.#end(process, 143)
  }

  async restart(id: string): Promise<Workload> {
    this.#fail('restart')
    const process = this.#process(id)
    process.exit = Promise.withResolvers()
    process.workload.status = 'running'
    await this.#run(process)
    return { ...process.workload }
  }

  async freeze(id: string): Promise<void> {
    this.#fail('freeze')
    const { workload } = this.#process(id)
    if (workload.status !== 'frozen' && workload.status !== 'running')
      throw conflict(`${workload.name} is ${workload.status}`)
    this.beforeEnd(workload)
    if (workload.status === 'running') this.journal.push(`freeze ${workload.processType}.${workload.index}`)
    workload.status = 'frozen'
  }

  async thaw(id: string): Promise<Workload> {
    this.#fail('thaw')
    const { workload } = this.#process(id)
    if (workload.status !== 'frozen' && workload.status !== 'running')
      throw conflict(`${workload.name} is ${workload.status}`)
    workload.status = 'running'
    return structuredClone(workload)
  }

  async remove(id: string): Promise<void> {
    this.#fail('remove')
    const process = this.#process(id)
    this.beforeEnd(process.workload)
    this.journal.push(`remove ${process.workload.processType}.${process.workload.index}`)
    if (process.workload.status !== 'exited') await this.#end(process, 137)
    this.processes.delete(id)
  }

  async wait(id: string, signal?: AbortSignal): Promise<ContainerExit> {
    const aborted = new Promise<never>((_, reject) =>
      signal?.addEventListener('abort', () => reject(signal.reason)),
    )
    aborted.catch(() => {})
    return Promise.race([this.#process(id).exit.promise, aborted])
  }

  async logs(id: string, options: LogOptions): Promise<AsyncIterable<LogEntry>> {
    const process = this.#process(id)
    const { follow, tail, signal, since } = options
    async function* read() {
      const at = (entry: LogEntry) =>
        BigInt(Date.parse(`${entry.time.slice(0, 19)}Z`)) * 1_000_000n + BigInt(entry.time.slice(20, 29))
      const from = tail === undefined ? 0 : Math.max(0, process.log.length - tail)
      for (let next = from; !signal?.aborted; ) {
        const entry = process.log[next]
        if (entry) {
          next += 1
          if (since === undefined || at(entry) >= since) yield entry
        } else if (follow && process.workload.status !== 'exited') {
          const stop = new Promise<void>((resolve) => signal?.addEventListener('abort', () => resolve()))
          await Promise.race([process.changed.promise, stop])
        } else return
      }
    }
    return read()
  }

  async attach(id: string): Promise<ProcessStream> {
    const process = this.#process(id)
    const scheduler = this
    async function* output(): AsyncGenerator<OutputChunk> {
      await process.exit.promise
      yield* process.log
      scheduler.processes.delete(id)
    }
    return {
      output: output(),
      write: async (data) => this.write(id, Buffer.from(data).toString()),
      closeInput: async () => this.end(id, 0),
      detach: () => {},
    }
  }

  async resize(): Promise<void> {}

  async exec(id: string, { command }: { command: string[] }) {
    this.#process(id)
    this.executed.push(command)
    const exitCode = command.includes('false') ? 1 : 0
    async function* output(): AsyncGenerator<OutputChunk> {
      yield { stream: 1, data: Buffer.from(`${command.join(' ')}\n`) }
    }
    const stream = { output: output(), write: async () => {}, closeInput: async () => {}, detach: () => {} }
    return { stream, exit: Promise.resolve({ exitCode }), resize: async () => {} }
  }

  async removeArtifact(ref: string) {
    this.#fail('removeArtifact')
    if (!this.artifacts.delete(ref)) throw notFound(`There is no artifact ${ref}`)
    return { spaceReclaimed: 1000 }
  }

  async hasArtifact(ref: string): Promise<boolean> {
    return this.artifacts.has(ref)
  }

  async listArtifacts(): Promise<string[]> {
    return [...this.artifacts.keys()]
  }

  /** What a process writes. */
  write(id: string, text: string, ms = Date.now()): void {
    const process = this.#process(id)
    const stamp = new Date(ms).toISOString().replace('Z', '')
    for (const line of text.split('\n').filter(Boolean))
      process.log.push({ stream: 1, data: Buffer.from(`${line}\n`), time: `${stamp}000000Z` })
    this.#wake(process)
  }

  /** A process ends by itself. */
  async end(id: string, exitCode: number, status: 'exited' | 'restarting' = 'exited'): Promise<void> {
    await this.#end(this.#process(id), exitCode, status)
  }

  /** How a process behaves from now on; and after a restart, where `afterwards` says so. */
  setBehaviour(id: string, behaviour: string): void {
    this.#process(id).behaviour = behaviour
  }

  /** The restart policy strikes: same workload, another address. */
  async comeBack(id: string): Promise<void> {
    const process = this.#process(id)
    process.exit = Promise.withResolvers()
    process.workload.restartCount += 1
    process.workload.status = 'running'
    await this.#run(process)
    this.#tell('start', id)
  }

  /** Ends the servers of a test. */
  close(): void {
    for (const { server } of this.processes.values()) server?.closeAllConnections()
    for (const { server } of this.processes.values()) server?.close()
  }

  /** `web.1@v2`, sorted: what runs. */
  running(app: string): string[] {
    return [...this.processes.values()]
      .filter(({ workload }) => workload.app === app && workload.status === 'running')
      .map(({ workload }) => `${workload.processType}.${workload.index}@${workload.releaseId}`)
      .sort()
  }

  async #run(process: Process): Promise<void> {
    const { workload, spec } = process
    const { behaviour } = process
    this.#starts += 1
    workload.startedAt = new Date(Date.now() + this.#starts).toISOString()
    this.write(workload.id, `${workload.processType}.${workload.index} starts`)
    if (spec.port !== undefined) {
      const server = createServer((request, response) => {
        this.asked.set(workload.id, (this.asked.get(workload.id) ?? 0) + 1)
        response.statusCode = Number(/^status:(\d+)$/.exec(process.behaviour)?.[1] ?? 200)
        response.end(`${workload.releaseId} ${request.url} ${request.headers.host}`)
      })
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      const { port } = server.address() as AddressInfo
      process.workload.address = { host: '127.0.0.1', port }
      if (behaviour === 'ok' || behaviour.startsWith('status:')) process.server = server
      else await new Promise((resolve) => server.close(resolve))
    }
    if (behaviour === 'loop') setImmediate(() => process.workload.restartCount++)
    const oneOff = /^exit:(\d+)$/.exec(behaviour)
    if (oneOff) setImmediate(() => void this.#end(process, Number(oneOff[1])))
    else if (spec.oneOff && behaviour === 'ok' && !spec.oneOff.stdin)
      setImmediate(() => void this.#end(process, 0))
    else if (behaviour === 'exit') {
      this.write(workload.id, 'Error: cannot find module')
      setImmediate(() => void this.#end(process, 1))
    }
  }

  async #end(process: Process, exitCode: number, status: 'exited' | 'restarting' = 'exited'): Promise<void> {
    if (process.workload.status === 'exited') return
    process.workload.status = status
    process.workload.exitCode = exitCode
    process.server?.closeAllConnections()
    process.server?.close()
    process.exit.resolve({ exitCode })
    this.#wake(process)
    this.#tell('die', process.workload.id)
  }

  #tell(action: string, id: string): void {
    this.#events.publish({ Type: 'container', Action: action, Actor: { ID: id, Attributes: {} } })
  }

  #wake(process: Process): void {
    process.changed.resolve()
    process.changed = Promise.withResolvers()
  }

  #process(id: string): Process {
    const found = this.processes.get(id)
    if (found === undefined) throw notFound(`There is no workload ${id.slice(0, 12)}`)
    return found
  }

  #fail(method: keyof Scheduler): void {
    const error = this.failNext.get(method)
    if (error === undefined) return
    this.failNext.delete(method)
    throw error
  }
}
