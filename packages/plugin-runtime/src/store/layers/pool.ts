/** Threads for layer jobs: made when there is work, gone when there was none for a while. @module */
import { fileURLToPath } from 'node:url'
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { Problem, type ProblemKind } from '@kernel/contracts'
import { Piscina } from 'piscina'
import type { Jobs, Report } from './jobs.ts'
import type { Answer, Progress, Task } from './worker.ts'

type RunOptions = Parameters<Piscina<Task, Answer>['run']>[1]

/** Unpacking is bound by the processor and the disk alike: more threads than this only wait for each other. */
const THREADS = 2
/** A thread costs memory: one that had nothing to do for this long ends, in milliseconds. */
const IDLE = 5_000

/** Runs layer jobs beside the main thread, in order of asking. */
export class LayerPool {
  private readonly piscina: Piscina<Task, Answer>
  private closed = false

  constructor() {
    const fromSource = import.meta.url.endsWith('.ts')
    this.piscina = new Piscina({
      filename: fileURLToPath(new URL(fromSource ? './worker.ts' : './layer-worker.js', import.meta.url)),
      minThreads: 0,
      maxThreads: THREADS,
      idleTimeout: IDLE,
      // Descriptors opened by foreign calls are closed by Node's: its own count of them would only warn.
      trackUnmanagedFds: false,
      ...(fromSource && { execArgv: ['--conditions=source'] }),
    })
  }

  /** @throws what the job throws, with kind and code kept */
  async run<N extends keyof Jobs>(
    name: N,
    job: Parameters<Jobs[N]>[0],
    report?: Report,
  ): Promise<Awaited<ReturnType<Jobs[N]>>> {
    if (this.closed) throw new Error('the image store is closed')
    const port = report && listen(report)
    try {
      const task: Task = { name, job, ...(port && { port }) }
      // Its type takes the transfer list for the options of postMessage, which hold one.
      const answer = await this.piscina.run(task, port && ({ transferList: [port] } as RunOptions))
      if (!answer.ok) throw toError(answer)
      return answer.result as Awaited<ReturnType<Jobs[N]>>
    } catch (error) {
      throw this.closed ? new Error('the image store is closed', { cause: error }) : error
    }
  }

  /** Ends all threads; jobs that run are given up, which leaves temporary files that the next start sweeps. */
  async close(): Promise<void> {
    this.closed = true
    await this.piscina.destroy()
  }
}

/** The port that a job reports to; it closes with the job. */
function listen(report: Report): MessagePort {
  const { port1, port2 } = new MessageChannel()
  port1.on('message', ({ current, total }: Progress) => report(current, total))
  port1.unref()
  return port2
}

function toError(answer: Extract<Answer, { ok: false }>): Error {
  if (answer.problem)
    return new Problem(answer.problem.kind as ProblemKind, answer.message, { hint: answer.problem.hint })
  return Object.assign(new Error(answer.message), answer.code ? { code: answer.code } : {})
}
