import { streamBody } from './stream-body.ts'

export interface LineStreamOptions {
  contentType: string
  /** What is written for an operation that failed after its first line. */
  failure(error: unknown): string
  /** After so many milliseconds the head is sent even where there is no line yet; undefined: it waits for one. */
  headAfterMs?: number
}

/**
 * Answers with the lines an operation writes, each sent as it comes. What fails before the first line is
 * thrown, so that it gets its status; what fails later can only be told inside the stream. The operation goes
 * on where the reader leaves.
 */
export async function lineStream(
  run: (write: (line: string) => void) => Promise<void>,
  options: LineStreamOptions,
): Promise<Response> {
  const waiting: string[] = []
  let over = false
  let wake = () => {}
  const write = (line: string) => {
    waiting.push(line)
    wake()
  }
  const first = new Promise<void>((resolve) => {
    wake = resolve
  })
  const running = run(write)
  const timer = options.headAfterMs === undefined ? undefined : setTimeout(wake, options.headAfterMs)
  try {
    await Promise.race([first, running])
  } finally {
    clearTimeout(timer)
  }
  void running
    .catch((error) => write(options.failure(error)))
    .finally(() => {
      over = true
      wake()
    })

  async function* lines() {
    while (true) {
      const line = waiting.shift()
      if (line !== undefined) yield line
      else if (over) return
      else
        await new Promise<void>((resolve) => {
          wake = resolve
        })
    }
  }
  return new Response(streamBody(lines()), { headers: { 'Content-Type': options.contentType } })
}
