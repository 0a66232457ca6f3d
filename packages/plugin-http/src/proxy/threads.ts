/** The listener threads, seen from the daemon: started, asked, restarted when they die, and closed. @module */
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import type { Logger } from '@kernel/kernel'
import type { FromThread, ListenPoint, Measures, Order, ThreadData, ToThread } from './messages.ts'

export interface ThreadsOptions {
  count: number
  listen: ListenPoint[]
  data: Omit<ThreadData, 'index' | 'listen' | 'orders'>
  log: Logger
  /** A thread has ended: what it held in shared memory is to be freed. */
  onExit(index: number, threadId: number): void
}

interface Running {
  worker: Worker
  ended: Promise<void>
}

const ANSWER_TIMEOUT_MS = 2_000
/**
 * Of a thread. What a request leaves dies with it, so the garbage of the next megabyte can be collected as well as that
 * of sixteen: it takes no more time, and memory stays where it was after the first thousand requests. Pieces of large
 * bodies, which lie outside of the heap, are given back as soon.
 */
const MAX_YOUNG_MIB = 3
const RESTART_AFTER_MS = 200

export class Threads {
  readonly #options: ThreadsOptions
  readonly #running: Array<Running | undefined> = []
  /** Questions that wait for their answer, by id. */
  readonly #asked = new Map<number, (answer: FromThread) => void>()
  readonly #orders = new Map<Order['kind'], Order>()
  #listen: ListenPoint[]
  #questions = 0
  #closing = false

  private constructor(options: ThreadsOptions) {
    this.#options = options
    this.#listen = options.listen
  }

  /** Starts all threads; each listens when this resolves. Rejects with the error of listening. */
  static async start(options: ThreadsOptions): Promise<Threads> {
    const threads = new Threads(options)
    try {
      // Where a port is left open (0), the first one settles it, and the others share it.
      const settled = options.listen.every(({ port }) => port !== 0)
      if (!settled) await threads.#start(0)
      const first = settled ? 0 : 1
      await Promise.all(Array.from({ length: options.count - first }, (_, i) => threads.#start(first + i)))
      return threads
    } catch (error) {
      await threads.close(0)
      throw error
    }
  }

  /** Where the threads listen, with the real ports. */
  get listen(): readonly ListenPoint[] {
    return this.#listen
  }

  /** What every thread that answers has counted since the last time. */
  async measure(): Promise<Measures[]> {
    const answers = await this.#askAll((id) => ({ kind: 'measure', id }))
    return answers.flatMap((answer) => (answer.kind === 'measured' ? [answer.measures] : []))
  }

  /** Has every thread keep to it, those that start later as well. Rejects where one can't. */
  async order(order: Order): Promise<void> {
    const before = this.#orders.get(order.kind)
    this.#orders.set(order.kind, order)
    const answers = await this.#askAll((id) => ({ kind: 'order', id, order }))
    const refusal = answers.find((answer) => answer.kind === 'obeyed' && answer.error !== undefined)
    if (refusal?.kind !== 'obeyed') return
    if (before) this.#orders.set(order.kind, before)
    else this.#orders.delete(order.kind)
    throw new Error(refusal.error)
  }

  /** Lets the threads close their connections to targets that are gone. */
  retire(origins: string[]): void {
    if (origins.length > 0) this.#tell({ kind: 'retire', origins })
  }

  /** Ends the upgraded connections to these targets. */
  cut(slots: number[]): void {
    if (slots.length > 0) this.#tell({ kind: 'cut', slots })
  }

  /** Takes no more visitors, and resolves when all threads have ended: after `graceMs` at the latest. */
  async close(graceMs: number): Promise<void> {
    this.#closing = true
    this.#tell({ kind: 'close', graceMs })
    await Promise.all(
      this.#running.map(async (running) => {
        if (!running) return
        const late = setTimeout(() => void running.worker.terminate(), graceMs + 2_000)
        await running.ended
        clearTimeout(late)
      }),
    )
  }

  #tell(message: ToThread): void {
    for (const running of this.#running) running?.worker.postMessage(message)
  }

  async #start(index: number): Promise<void> {
    const { data, log, onExit } = this.#options
    const file = threadFile()
    const worker = new Worker(file, {
      name: `edge-${index}`,
      resourceLimits: { maxYoungGenerationSizeMb: MAX_YOUNG_MIB },
      workerData: {
        ...data,
        index,
        listen: this.#listen,
        orders: [...this.#orders.values()],
      } satisfies ThreadData,
      // From source, workspace packages are found under this condition.
      ...(file.pathname.endsWith('.ts') && { execArgv: ['--conditions=source'] }),
    })
    const { threadId } = worker
    const listening = Promise.withResolvers<void>()
    let failure: unknown
    let listens = false
    worker.on('error', (error) => {
      failure = error
    })
    worker.on('message', (message: FromThread) => {
      if (message.kind === 'listening') {
        listens = true
        this.#listen = this.#listen.map((point, i) => ({ ...point, port: message.ports[i]! }))
        listening.resolve()
      } else if (message.kind === 'measured' || message.kind === 'obeyed')
        this.#asked.get(message.id)?.(message)
      else log.warn(message.message, message.fields)
    })
    const ended = new Promise<void>((resolve) => {
      worker.once('exit', () => {
        this.#running[index] = undefined
        onExit(index, threadId)
        if (!listens) listening.reject(failure ?? new Error('the thread ended before it listened'))
        else if (!this.#closing) void this.#restart(index, failure)
        resolve()
      })
    })
    this.#running[index] = { worker, ended }
    await listening.promise
  }

  async #restart(index: number, cause: unknown): Promise<void> {
    const { log } = this.#options
    for (let failure = cause; !this.#closing; ) {
      const error = failure instanceof Error ? (failure.stack ?? failure.message) : String(failure ?? '')
      log.error(`A thread of the edge has died and is started again`, { thread: index, error })
      await sleep(RESTART_AFTER_MS)
      if (this.#closing) return
      try {
        await this.#start(index)
        return
      } catch (error) {
        failure = error
      }
    }
  }

  async #askAll(question: (id: number) => ToThread): Promise<FromThread[]> {
    const answers = this.#running
      .filter((running) => running !== undefined)
      .map(({ worker }) => this.#ask(worker, question))
    return (await Promise.all(answers)).filter((answer) => answer !== undefined)
  }

  async #ask(worker: Worker, question: (id: number) => ToThread): Promise<FromThread | undefined> {
    const id = this.#questions++
    const answer = Promise.withResolvers<FromThread | undefined>()
    const timer = setTimeout(() => answer.resolve(undefined), ANSWER_TIMEOUT_MS)
    this.#asked.set(id, answer.resolve)
    worker.postMessage(question(id))
    const message = await answer.promise
    clearTimeout(timer)
    this.#asked.delete(id)
    return message
  }
}

/** Beside this file in the sources; in `dist`, whose bundles lie in its root, an entry of its own. */
function threadFile(): URL {
  const source = import.meta.url.endsWith('.ts')
  return new URL(source ? './thread/main.ts' : './proxy/thread.js', import.meta.url)
}
