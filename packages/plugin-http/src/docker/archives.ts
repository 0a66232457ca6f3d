import { type ContainerPathStat, invalid } from '@kernel/contracts'
import { stringifyJson } from '../json.ts'
import { streamBody } from '../server/stream-body.ts'
import { answerJson } from './json.ts'
import { boolQuery, pathName } from './queries.ts'
import type { DockerContext, DockerServices } from './types.ts'

/** Files in and out of containers: `docker cp`, `docker export`, `docker diff`. */
export function archiveHandlers({ containers }: Pick<DockerServices, 'containers'>) {
  /** `HEAD` tells of the file, `GET` brings it as well. */
  async function getArchive(context: DockerContext): Promise<Response> {
    const id = pathName(context)
    const path = pathQuery(context)
    if (context.req.method === 'HEAD') {
      const stat = await containers.archiveStat(id, path)
      return new Response(null, { headers: statHeader(stat) })
    }
    const { stat, tar } = await containers.archiveRead(id, path, context.env.signal)
    return new Response(streamBody(tar), {
      headers: { 'Content-Type': 'application/x-tar', ...statHeader(stat) },
    })
  }

  async function putArchive(context: DockerContext): Promise<Response> {
    await containers.archiveWrite(pathName(context), pathQuery(context), bodyOf(context), {
      keepKinds: boolQuery(context, 'noOverwriteDirNonDir'),
      asUser: boolQuery(context, 'copyUIDGID'),
    })
    return new Response(null, { status: 200 })
  }

  async function containerChanges(context: DockerContext): Promise<Response> {
    const changes = await containers.changes(pathName(context))
    return answerJson(changes.length > 0 ? changes : null)
  }

  async function exportContainer(context: DockerContext): Promise<Response> {
    const tar = await containers.exportTar(pathName(context), context.env.signal)
    return new Response(streamBody(tar), { headers: { 'Content-Type': 'application/octet-stream' } })
  }

  return { getArchive, putArchive, containerChanges, exportContainer }
}

/** The body as it comes; empty where there is none. */
export async function* bodyOf(context: DockerContext): AsyncGenerator<Uint8Array> {
  if (context.req.raw.body) yield* context.req.raw.body
}

function pathQuery(context: DockerContext): string {
  const path = context.req.query('path')
  if (!path) throw invalid('bad parameter: path cannot be empty')
  if (path.includes('\0')) throw invalid('bad parameter: path cannot hold a NUL byte')
  return path
}

const statHeader = (stat: ContainerPathStat) => ({
  'X-Docker-Container-Path-Stat': Buffer.from(stringifyJson(stat)).toString('base64'),
})
