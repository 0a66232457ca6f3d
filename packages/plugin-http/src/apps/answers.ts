import type { HttpEnvironment } from '@kernel/contracts'
import { problemBody, toProblem } from '../errors.ts'
import { stringifyJson } from '../json.ts'
import { lineStream } from '../server/line-stream.ts'
import { streamBody } from '../server/stream-body.ts'
import { joinCommand } from './command-stream.ts'
import type { Call, FeedOperation, Operation, WorkOperation } from './operation.ts'

const contentType = 'application/x-ndjson'
/** How long an answer may wait for its first line, so that what is refused at once gets its status. */
const headAfterMs = 100

const line = (value: unknown) => `${stringifyJson(value)}\n`
const failure = (error: unknown) => line({ error: problemBody(toProblem(error)) })

/** Runs an operation and puts what it gives into an answer of its kind. */
export async function answerWith(
  operation: Operation,
  call: Call<never, never>,
  env: HttpEnvironment,
): Promise<Response> {
  switch (operation.answer) {
    case 'json':
      return new Response(line(await operation.run(call)), {
        headers: { 'Content-Type': 'application/json' },
      })
    case 'empty':
      await operation.run(call)
      return new Response(null, { status: 204 })
    case 'lines':
      return operation.form === 'work' ? workLines(operation, call) : feedLines(operation, call)
    case 'stream':
      return joinCommand(await operation.run(call), env)
  }
}

/** The lines of work as it goes on, then its result or what it failed with. */
function workLines(operation: WorkOperation, call: Call<never, never>): Promise<Response> {
  return lineStream(
    async (write) => {
      const result = await operation.run(call, (value) => write(line(value)))
      write(line({ result }))
    },
    { contentType, failure, headAfterMs },
  )
}

/** Lines as fast as the caller takes them. */
async function feedLines(operation: FeedOperation, call: Call<never, never>): Promise<Response> {
  const iterator = operation.run(call)[Symbol.asyncIterator]()
  const first = iterator.next()
  const late = Promise.withResolvers<void>()
  const timer = setTimeout(late.resolve, headAfterMs)
  try {
    await Promise.race([first, late.promise])
  } finally {
    clearTimeout(timer)
  }
  async function* lines() {
    try {
      for (let next = await first; !next.done; next = await iterator.next()) yield line(next.value)
    } catch (error) {
      if (!call.signal.aborted) yield failure(error)
    } finally {
      void iterator.return?.()
    }
  }
  return new Response(streamBody(lines()), { headers: { 'Content-Type': contentType } })
}
