import { type ContainerCommit, invalid } from '@kernel/contracts'
import { containerConfig } from './bodies.ts'
import { reference } from './images.ts'
import { answerJson, readJson } from './json.ts'
import { boolQuery, changeLines } from './queries.ts'
import type { DockerContext, DockerServices } from './types.ts'

/** `POST /commit`: a container becomes an image. */
export function commitHandlers({ builder, containers }: Pick<DockerServices, 'builder' | 'containers'>) {
  async function commitContainer(context: DockerContext): Promise<Response> {
    const { req } = context
    const body = (await readJson(req.raw, { allowEmpty: true })) ?? {}
    const repository = req.query('repo')
    const comment = req.query('comment')
    const author = req.query('author')
    const options: ContainerCommit = {
      config: containerConfig(body, ''),
      pause: boolQuery(context, 'pause', true),
      changes: changeLines(context),
      ...(repository && { tag: reference(repository, req.query('tag')) }),
      ...(comment && { comment }),
      ...(author && { author }),
    }
    const container = req.query('container')
    if (!container) throw invalid('invalid name or ID supplied: ""')
    const { Id } = await containers.inspect(container)
    const { id } = await builder.commit(Id, options)
    return answerJson({ Id: id }, 201)
  }
  return { commitContainer }
}
