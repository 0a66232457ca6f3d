import { answerJson } from './json.ts'
import { pathName } from './queries.ts'
import { parseRegistryAuth } from './registry-auth.ts'
import type { DockerContext, DockerServices } from './types.ts'

/** What a registry says of an image, without pulling it. */
export function distributionHandlers({ images }: Pick<DockerServices, 'images'>) {
  async function inspectDistribution(context: DockerContext): Promise<Response> {
    const auth = parseRegistryAuth(context.req.header('x-registry-auth'))
    const { signal } = context.env
    const { descriptor, platforms } = await images.distribution(pathName(context, 'name'), {
      signal,
      ...(auth && { auth }),
    })
    return answerJson({ Descriptor: descriptor, Platforms: platforms })
  }
  return { inspectDistribution }
}
