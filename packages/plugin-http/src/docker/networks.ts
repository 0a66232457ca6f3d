import { denied, invalid, type NetworkInspect } from '@kernel/contracts'
import { networkConnect, networkCreate, networkDisconnect } from './bodies.ts'
import { queryFilters } from './filters.ts'
import { answerJson, readJson } from './json.ts'
import { pathName } from './queries.ts'
import type { DockerContext, DockerServices } from './types.ts'

export function networkHandlers({ networks }: Pick<DockerServices, 'networks'>) {
  async function listNetworks(context: DockerContext): Promise<Response> {
    const list = await networks.list({ filters: queryFilters(context) })
    // Since 1.28 who is in a network is told by inspect only.
    const { minor } = context.var.version
    return answerJson(
      list.map((network) => networkBody(minor < 28 ? network : { ...network, Containers: {} }, minor)),
    )
  }

  async function inspectNetwork(context: DockerContext): Promise<Response> {
    return answerJson(networkBody(await networks.inspect(pathName(context)), context.var.version.minor))
  }

  async function createNetwork(context: DockerContext): Promise<Response> {
    const { Name, ...body } = networkCreate(await readJson(context.req.raw), '')
    if (!Name) throw invalid('invalid network name: it is empty')
    if (['bridge', 'host', 'none', 'default'].includes(Name))
      throw denied(`operation is not permitted on predefined ${Name} network`)
    const { id, warning } = await networks.create({ ...body, Name })
    return answerJson({ Id: id, Warning: warning }, 201)
  }

  async function connectNetwork(context: DockerContext): Promise<Response> {
    const { Container, EndpointConfig } = networkConnect(await readJson(context.req.raw), '')
    if (!Container) throw invalid('invalid container name or ID: it is empty')
    await networks.connect(pathName(context), Container, EndpointConfig)
    return new Response(null, { status: 200 })
  }

  async function disconnectNetwork(context: DockerContext): Promise<Response> {
    const { Container, Force } = networkDisconnect(await readJson(context.req.raw), '')
    if (!Container) throw invalid('invalid container name or ID: it is empty')
    await networks.disconnect(pathName(context), Container, { force: Force ?? false })
    return new Response(null, { status: 200 })
  }

  async function deleteNetwork(context: DockerContext): Promise<Response> {
    await networks.remove(pathName(context))
    return new Response(null, { status: 204 })
  }

  async function pruneNetworks(context: DockerContext): Promise<Response> {
    const { deleted } = await networks.prune({ filters: queryFilters(context) })
    return answerJson({ NetworksDeleted: deleted.length > 0 ? deleted : null })
  }

  return {
    listNetworks,
    inspectNetwork,
    createNetwork,
    connectNetwork,
    disconnectNetwork,
    deleteNetwork,
    pruneNetworks,
  }
}

/** Networks made from configurations are a swarm's; the fields are there all the same. */
function networkBody({ EnableIPv4, ...network }: NetworkInspect, minor: number) {
  return { ...network, ...(minor >= 48 && { EnableIPv4 }), ConfigFrom: { Network: '' }, ConfigOnly: false }
}
