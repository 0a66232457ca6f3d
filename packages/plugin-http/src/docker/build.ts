import { type ImageBuildRequest, invalid, notSupported } from '@kernel/contracts'
import { queryFilters } from './filters.ts'
import { answerJson } from './json.ts'
import { progressStream } from './progress.ts'
import { boolQuery, intQuery, mapQuery } from './queries.ts'
import { parseRegistryConfig } from './registry-auth.ts'
import type { DockerContext, DockerServices } from './types.ts'

/** `POST /build`, the classic builder, and its cache. */
export function buildHandlers({ builder }: Pick<DockerServices, 'builder'>) {
  async function buildImage(context: DockerContext): Promise<Response> {
    const request = buildRequest(context)
    const quiet = boolQuery(context, 'q')
    return progressStream(async (report) => {
      let told = false
      const { id } = await builder.build(request, (message) => {
        const isResult = typeof message.aux === 'object' && message.aux !== null && 'ID' in message.aux
        told ||= isResult
        if (!quiet || isResult) report(message)
      })
      return [...(told ? [] : [{ aux: { ID: id } }]), ...(quiet ? [{ stream: `${id}\n` }] : [])]
    })
  }

  async function pruneBuild(context: DockerContext): Promise<Response> {
    queryFilters(context)
    const { spaceReclaimed } = await builder.pruneCache({ all: boolQuery(context, 'all') })
    return answerJson({ CachesDeleted: null, SpaceReclaimed: spaceReclaimed })
  }

  return { buildImage, pruneBuild }
}

/** The queries of `POST /build` as a request. @throws invalid, not-supported */
function buildRequest(context: DockerContext): ImageBuildRequest {
  const { req, env } = context
  if (req.query('version') === '2')
    throw notSupported('BuildKit is not part of this engine. Set DOCKER_BUILDKIT=0 for the classic builder')
  if (req.query('remote'))
    throw notSupported(
      'A build needs its context in the request; a remote context is not fetched. Clone it and build from there',
    )
  if (req.raw.body === null) throw invalid('The build context is missing: it is a tar archive in the body')
  const memory = intQuery(context, 'memory')
  const dockerfile = req.query('dockerfile')
  const target = req.query('target')
  const platform = req.query('platform')
  const networkMode = req.query('networkmode')
  return {
    context: { tar: req.raw.body },
    ...(dockerfile && { dockerfile: { path: dockerfile } }),
    tags: (req.queries('t') ?? []).filter((tag) => tag !== ''),
    buildArgs: mapQuery(context, 'buildargs') ?? {},
    labels: mapQuery(context, 'labels') ?? {},
    ...(target && { target }),
    ...(platform && { platform }),
    ...(networkMode && { networkMode }),
    noCache: boolQuery(context, 'nocache'),
    pull: boolQuery(context, 'pull'),
    ...(memory !== undefined && { memory }),
    auths: parseRegistryConfig(req.header('x-registry-config')),
    signal: env.signal,
  }
}
