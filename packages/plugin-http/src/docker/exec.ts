import { invalid, type ProcessStream, problemOf } from '@kernel/contracts'
import { execCreate, execStart } from './bodies.ts'
import { terminalSize } from './containers.ts'
import { encoderFor, streamContentType } from './framing.ts'
import { engineHeaders } from './headers.ts'
import { answerJson, readJson } from './json.ts'
import { pathName } from './queries.ts'
import { finish, pump } from './streams.ts'
import type { DockerContext, DockerServices } from './types.ts'

/** Commands in running containers. */
export function execHandlers({ containers, engine }: Pick<DockerServices, 'containers' | 'engine'>) {
  async function createExec(context: DockerContext): Promise<Response> {
    const body = execCreate(await readJson(context.req.raw), '')
    const { Cmd } = body
    if (!Cmd?.length) throw invalid('No exec command specified')
    return answerJson({ Id: await containers.execCreate(pathName(context), { ...body, Cmd }) }, 201)
  }

  async function startExec(context: DockerContext): Promise<Response> {
    const id = pathName(context)
    const body = execStart((await readJson(context.req.raw, { allowEmpty: true })) ?? {}, '')
    const exec = await containers.execInspect(id)
    const attach = exec.OpenStdin || exec.OpenStdout || exec.OpenStderr
    if (body.Detach || !attach) {
      await containers.execStart(id, { attach: false })
      return new Response(null, { status: 200 })
    }
    const tty = exec.ProcessConfig.tty
    const started = await start(id, tty, consoleSize(body.ConsoleSize, tty))
    const { minor } = context.var.version
    const connection = context.env.hijack(streamContentType(tty, minor), engineHeaders(engine))
    if ('message' in started) {
      connection.write(encoderFor(tty)({ stream: 1, data: Buffer.from(`${started.message}\r\n`) }))
      finish(connection)
      return context.env.hijacked
    }
    void pump(connection, started.stream, {
      stdin: exec.OpenStdin,
      encode: encoderFor(tty),
      signal: context.env.signal,
      ...(tty && { detachKeys: [16, 17] }),
    })
      // The client asks for the exit code as soon as the stream ends: it has to be there by then.
      .then(() => (context.env.signal.aborted ? undefined : containers.execWait(id)))
      .catch(() => {})
      .finally(() => finish(connection))
    return context.env.hijacked
  }

  /** A command that cannot be run is told in the stream, with the exit code 126 or 127, as dockerd does. */
  async function start(
    id: string,
    tty: boolean,
    size: [number, number] | undefined,
  ): Promise<{ stream: ProcessStream } | { message: string }> {
    try {
      return {
        stream: await containers.execStart(id, { attach: true, tty, ...(size && { consoleSize: size }) }),
      }
    } catch (error) {
      const problem = problemOf(error)
      if (problem?.kind === 'invalid' || problem?.kind === 'failed') return { message: problem.message }
      throw error
    }
  }

  async function inspectExec(context: DockerContext): Promise<Response> {
    return answerJson(await containers.execInspect(pathName(context)))
  }

  async function resizeExec(context: DockerContext): Promise<Response> {
    const { rows, columns } = terminalSize(context)
    await containers.execResize(pathName(context), rows, columns)
    return new Response(null, { status: 200 })
  }

  return { createExec, startExec, inspectExec, resizeExec }
}

function consoleSize(size: number[] | undefined, tty: boolean): [number, number] | undefined {
  if (size === undefined || size.length === 0) return undefined
  if (!tty) throw invalid('console size is only supported when TTY is enabled')
  const [rows, columns] = size
  if (rows === undefined || columns === undefined) throw invalid('ConsoleSize is [height, width]')
  return [rows, columns]
}
