import type { ProgressMessage } from '@kernel/contracts'
import { toProblem } from '../errors.ts'
import { stringifyJson } from '../json.ts'
import { lineStream } from '../server/line-stream.ts'

/**
 * Runs an operation that tells of its progress in a stream of JSON objects (pull, load, build).
 * @param run its last words come from what it returns
 */
export function progressStream(
  run: (report: (message: ProgressMessage) => void) => Promise<ProgressMessage[]>,
): Promise<Response> {
  const line = (message: object) => `${stringifyJson(message)}\r\n`
  return lineStream(
    async (write) => {
      for (const message of await run((progress) => write(line(progress)))) write(line(message))
    },
    {
      contentType: 'application/json',
      failure(error) {
        const { message } = toProblem(error)
        return line({ errorDetail: { message }, error: message })
      },
    },
  )
}
