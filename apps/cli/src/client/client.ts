/** Calls of the product's API by route name: JSON, lines, streams. @module */
import { createInterface } from 'node:readline'
import { type ApiRouteName, Problem, type ProblemKind, problemOf, unavailable } from '@kernel/contracts'
import { type Address, parseAddress, showAddress } from './address.ts'
import { type CallOptions, Connection, textOf } from './connection.ts'
import { FrameStream } from './frames.ts'

export class Client {
  readonly connection: Connection

  constructor(address: Address = parseAddress()) {
    this.connection = new Connection(address)
  }

  /** An answer in JSON. */
  async json<T>(name: ApiRouteName, options?: CallOptions): Promise<T> {
    return this.#parse(await textOf(await this.connection.open(name, options))) as T
  }

  /** An answer without a body. */
  async send(name: ApiRouteName, options?: CallOptions): Promise<void> {
    await textOf(await this.connection.open(name, options))
  }

  /** Lines as they come. A last line `{"error"}` is thrown; `{"result"}` is the generator's return value. */
  async *lines<T, R = undefined>(
    name: ApiRouteName,
    options?: CallOptions,
  ): AsyncGenerator<T, R | undefined> {
    const answer = await this.connection.open(name, options)
    const reader = createInterface({ input: answer, crlfDelay: Number.POSITIVE_INFINITY })
    try {
      for await (const line of reader) {
        if (line === '') continue
        const value = this.#parse(line) as Record<string, unknown>
        if ('error' in value && isProblem(value.error)) {
          const { kind, message, hint } = value.error
          throw new Problem(kind, message, { hint })
        }
        if ('result' in value) return value.result as R
        yield value as T
      }
      return undefined
    } catch (error) {
      if (problemOf(error) || options?.signal?.aborted) throw error
      throw unavailable(`The connection to ${this.#at} broke: ${(error as Error).message}`, { cause: error })
    } finally {
      reader.close()
      answer.destroy()
    }
  }

  /** Runs an operation to its end, handing out its lines. @throws unavailable where the daemon ends before it */
  async operate<T, R = undefined>(
    name: ApiRouteName,
    options: CallOptions,
    onLine: (line: T) => void,
  ): Promise<R | undefined> {
    const lines = this.lines<T, R>(name, options)
    for (;;) {
      const next = await lines.next()
      if (next.done && next.value === undefined)
        throw unavailable(`The daemon at ${this.#at} went away before the operation had ended.`)
      if (next.done) return next.value
      onLine(next.value)
    }
  }

  get #at(): string {
    return showAddress(this.connection.address)
  }

  #parse(text: string): unknown {
    try {
      return JSON.parse(text)
    } catch (error) {
      throw unavailable(`What answers at ${this.#at} is no daemon of kernel.`, { cause: error })
    }
  }

  /** A hijacked stream of frames (`run`, `enter`). */
  async stream(name: ApiRouteName, options?: CallOptions): Promise<FrameStream> {
    return new FrameStream(await this.connection.hijack(name, options))
  }
}

function isProblem(value: unknown): value is { kind: ProblemKind; message: string; hint?: string } {
  return typeof value === 'object' && value !== null && 'kind' in value && 'message' in value
}
