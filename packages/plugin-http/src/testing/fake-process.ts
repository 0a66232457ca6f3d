import type { ContainerExit, OutputChunk, ProcessStream } from '@kernel/contracts'

/** For tests: a program that is a function. What it returns is its exit code. */
export type Program = (io: {
  args: string[]
  stdin: AsyncIterable<Uint8Array>
  write(stream: 1 | 2, text: string | Uint8Array): void
  killed: Promise<void>
}) => Promise<number>

/** For tests: a process that runs in this one, with input, output, attachers and a log. */
export class FakeProcess {
  readonly log: OutputChunk[] = []
  readonly exit: Promise<ContainerExit>
  rows = 0
  columns = 0
  readonly #exit = Promise.withResolvers<ContainerExit>()
  readonly #killed = Promise.withResolvers<void>()
  readonly #stdin = new Queue<Uint8Array>()
  readonly #readers = new Set<Queue<OutputChunk>>()
  #over = false

  constructor() {
    this.exit = this.#exit.promise
  }

  async run(program: Program, args: string[]): Promise<void> {
    const killed = this.#killed.promise
    const stdin = this.#stdin
    const write = (stream: 1 | 2, text: string | Uint8Array) => {
      const chunk = { stream, data: Buffer.from(text) }
      this.log.push(chunk)
      for (const reader of this.#readers) reader.push(chunk)
    }
    const killCode = killed.then(() => 137)
    const exitCode = await Promise.race([program({ args, stdin, write, killed }), killCode])
    this.#over = true
    for (const reader of this.#readers) reader.end()
    this.#exit.resolve({ exitCode })
  }

  kill(): void {
    this.#killed.resolve()
  }

  attach(wanted: { stdout?: boolean; stderr?: boolean; replay?: boolean } = {}): ProcessStream {
    const reader = new Queue<OutputChunk>()
    if (wanted.replay) for (const chunk of this.log) reader.push(chunk)
    if (this.#over) reader.end()
    this.#readers.add(reader)
    const detach = () => {
      this.#readers.delete(reader)
      reader.end()
    }
    return {
      output: reader,
      write: async (data) => this.#stdin.push(data),
      closeInput: async () => this.#stdin.end(),
      detach,
    }
  }

  get attachers(): number {
    return this.#readers.size
  }
}

/** Values pushed here come out there, in order, also those pushed before anyone read. */
export class Queue<T> implements AsyncIterable<T> {
  readonly #items: T[] = []
  #over = false
  #wake = () => {}

  push(item: T): void {
    this.#items.push(item)
    this.#wake()
  }
  end(): void {
    this.#over = true
    this.#wake()
  }
  async *[Symbol.asyncIterator](): AsyncIterator<T> {
    while (true) {
      const item = this.#items.shift()
      if (item !== undefined) yield item
      else if (this.#over) return
      else
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
    }
  }
}
