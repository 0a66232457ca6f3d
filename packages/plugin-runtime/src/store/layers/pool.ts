/** Threads for layer jobs: made when there is work, gone when there was none for a while. @module */
import { Worker } from 'node:worker_threads'
import { Problem, type ProblemKind } from '@kernel/contracts'
import type { Jobs, Report } from './jobs.ts'
import type { Reply } from './worker.ts'

/** Unpacking is bound by the processor and the disk alike: more threads than this only wait for each other. */
const THREADS = 2
/** A thread costs memory: one that had nothing to do for this long ends, in milliseconds. */
const IDLE = 5_000

interface Task {
  name: keyof Jobs
  job: unknown
  report?: Report
  resolve: (result: unknown) => void
  reject: (error: Error) => void
}

/** Runs layer jobs beside the main thread, in order of asking. */
export class LayerPool {
  private readonly waiting: Task[] = []
  private readonly idle: { worker: Worker; timer: NodeJS.Timeout }[] = []
  private readonly busy = new Map<Worker, Task>()
  private closed = false

  /** @throws what the job throws, with kind and code kept */
  run<N extends keyof Jobs>(
    name: N,
    job: Parameters<Jobs[N]>[0],
    report?: Report,
  ): Promise<Awaited<ReturnType<Jobs[N]>>> {
    return new Promise((resolve, reject) => {
      if (this.closed) return reject(new Error('the image store is closed'))
      const task: Task = { name, job, resolve: resolve as (result: unknown) => void, reject }
      if (report) task.report = report
      this.waiting.push(task)
      this.next()
    })
  }

  /** Ends all threads; jobs that run are given up, which leaves temporary files that the next start sweeps. */
  async close(): Promise<void> {
    this.closed = true
    for (const task of this.waiting.splice(0)) task.reject(new Error('the image store is closed'))
    for (const { timer } of this.idle) clearTimeout(timer)
    const workers = [...this.idle.map(({ worker }) => worker), ...this.busy.keys()]
    this.idle.length = 0
    await Promise.all(workers.map((worker) => worker.terminate()))
  }

  private next(): void {
    const task = this.waiting[0]
    if (!task) return
    const free = this.idle.pop()
    if (free) clearTimeout(free.timer)
    const worker = free?.worker ?? (this.busy.size < THREADS ? this.spawn() : undefined)
    if (!worker) return
    this.waiting.shift()
    this.busy.set(worker, task)
    worker.ref()
    worker.postMessage({ name: task.name, job: task.job })
  }

  private spawn(): Worker {
    const fromSource = import.meta.url.endsWith('.ts')
    const file = new URL(fromSource ? './worker.ts' : './layer-worker.js', import.meta.url)
    // Descriptors opened by foreign calls are closed by Node's: its own count of them would only warn.
    const options = { trackUnmanagedFds: false }
    const worker = new Worker(file, fromSource ? { ...options, execArgv: ['--conditions=source'] } : options)
    worker.on('message', (reply: Reply) => this.onReply(worker, reply))
    worker.on('error', (error: Error) => this.onEnd(worker, error))
    worker.on('exit', () => this.onEnd(worker, new Error('the thread for layers ended')))
    return worker
  }

  private onReply(worker: Worker, reply: Reply): void {
    const task = this.busy.get(worker)
    if (!task) return
    if (reply.kind === 'report') {
      task.report?.(reply.current, reply.total)
      return
    }
    this.busy.delete(worker)
    worker.unref()
    const timer = setTimeout(() => this.retire(worker), IDLE).unref()
    this.idle.push({ worker, timer })
    if (reply.kind === 'done') task.resolve(reply.result)
    else task.reject(toError(reply))
    this.next()
  }

  private retire(worker: Worker): void {
    const at = this.idle.findIndex((entry) => entry.worker === worker)
    if (at >= 0) this.idle.splice(at, 1)
    void worker.terminate()
  }

  private onEnd(worker: Worker, error: Error): void {
    const task = this.busy.get(worker)
    this.busy.delete(worker)
    const at = this.idle.findIndex((entry) => entry.worker === worker)
    if (at >= 0) clearTimeout(this.idle.splice(at, 1)[0]!.timer)
    task?.reject(error)
    if (task) this.next()
  }
}

function toError(reply: Extract<Reply, { kind: 'error' }>): Error {
  if (reply.problem)
    return new Problem(reply.problem.kind as ProblemKind, reply.message, { hint: reply.problem.hint })
  return Object.assign(new Error(reply.message), reply.code ? { code: reply.code } : {})
}
