import { type ContainerCreate, type ContainerInspect, invalid } from '@kernel/contracts'
import { containerCreate, containerUpdate } from './bodies.ts'
import { queryFilters } from './filters.ts'
import { answerJson, readJson } from './json.ts'
import { boolQuery, intQuery, pathName } from './queries.ts'
import type { DockerContext, DockerServices } from './types.ts'

/** Containers from create to delete. */
export function containerHandlers({ containers }: Pick<DockerServices, 'containers'>) {
  const done = (status = 204) => new Response(null, { status })

  async function createContainer(context: DockerContext): Promise<Response> {
    const { MacAddress, ...config } = containerCreate(await readJson(context.req.raw), '')
    if (config.Image === undefined) throw invalid('config cannot be empty in order to create a container')
    const body = inheritMacAddress({ ...config, Image: config.Image }, MacAddress)
    const { id, warnings } = await containers.create(context.req.query('name') || undefined, body)
    return answerJson({ Id: id, Warnings: warnings }, 201)
  }

  async function listContainers(context: DockerContext): Promise<Response> {
    const filters = queryFilters(context)
    for (const name of ['before', 'since'] as const) {
      const reference = context.req.query(name)
      if (reference) filters[name] ??= [reference]
    }
    const limit = intQuery(context, 'limit') ?? 0
    const all = boolQuery(context, 'all') || limit > 0 || (filters.status?.length ?? 0) > 0
    const options = { all, size: boolQuery(context, 'size'), filters, ...(limit > 0 && { limit }) }
    return answerJson(await containers.list(options))
  }

  async function inspectContainer(context: DockerContext): Promise<Response> {
    const inspect = await containers.inspect(pathName(context), { size: boolQuery(context, 'size') })
    return answerJson(forVersion(inspect, context.var.version.minor))
  }

  async function startContainer(context: DockerContext): Promise<Response> {
    await containers.start(pathName(context))
    return done()
  }

  /** `signal` counts from 1.42 on; `t` is in seconds, -1 for no limit. */
  function stopOptions(context: DockerContext) {
    const signal = context.var.version.minor >= 42 ? context.req.query('signal') : undefined
    const timeoutSec = intQuery(context, 't')
    return { ...(signal && { signal }), ...(timeoutSec !== undefined && { timeoutSec }) }
  }

  async function stopContainer(context: DockerContext): Promise<Response> {
    await containers.stop(pathName(context), stopOptions(context))
    return done()
  }

  async function restartContainer(context: DockerContext): Promise<Response> {
    await containers.restart(pathName(context), stopOptions(context))
    return done()
  }

  async function killContainer(context: DockerContext): Promise<Response> {
    await containers.kill(pathName(context), context.req.query('signal') || undefined)
    return done()
  }

  async function pauseContainer(context: DockerContext): Promise<Response> {
    await containers.pause(pathName(context))
    return done()
  }

  async function unpauseContainer(context: DockerContext): Promise<Response> {
    await containers.unpause(pathName(context))
    return done()
  }

  async function renameContainer(context: DockerContext): Promise<Response> {
    const name = context.req.query('name')
    if (!name) throw invalid('Neither old nor new names may be empty')
    await containers.rename(pathName(context), name)
    return done()
  }

  async function updateContainer(context: DockerContext): Promise<Response> {
    const change = containerUpdate(await readJson(context.req.raw), '')
    const { warnings } = await containers.update(pathName(context), change)
    return answerJson({ Warnings: warnings.length > 0 ? warnings : null })
  }

  async function resizeContainer(context: DockerContext): Promise<Response> {
    const { rows, columns } = terminalSize(context)
    await containers.resize(pathName(context), rows, columns)
    return done(200)
  }

  async function topContainer(context: DockerContext): Promise<Response> {
    return answerJson(await containers.top(pathName(context), context.req.query('ps_args') || undefined))
  }

  async function deleteContainer(context: DockerContext): Promise<Response> {
    const options = { force: boolQuery(context, 'force'), volumes: boolQuery(context, 'v') }
    await containers.remove(pathName(context), options)
    return done()
  }

  async function pruneContainers(context: DockerContext): Promise<Response> {
    const { deleted, spaceReclaimed } = await containers.prune({ filters: queryFilters(context) })
    return answerJson({
      ContainersDeleted: deleted.length > 0 ? deleted : null,
      SpaceReclaimed: spaceReclaimed,
    })
  }

  return {
    createContainer,
    listContainers,
    inspectContainer,
    startContainer,
    stopContainer,
    restartContainer,
    killContainer,
    pauseContainer,
    unpauseContainer,
    renameContainer,
    updateContainer,
    resizeContainer,
    topContainer,
    deleteContainer,
    pruneContainers,
  }
}

/** `h` and `w`, in characters. @throws invalid */
export function terminalSize(context: DockerContext): { rows: number; columns: number } {
  const rows = intQuery(context, 'h')
  const columns = intQuery(context, 'w')
  if (rows === undefined || columns === undefined) throw invalid('strconv.Atoi: parsing "": invalid syntax')
  return { rows, columns }
}

/** Before 1.44 a container had one address, in its own configuration; it belongs to the network it starts in. */
function inheritMacAddress(body: ContainerCreate, macAddress: string | undefined): ContainerCreate {
  if (!macAddress) return body
  const mode = body.HostConfig?.NetworkMode
  const network = !mode || mode === 'default' ? 'bridge' : mode
  const endpoints = body.NetworkingConfig?.EndpointsConfig ?? {}
  const endpoint = { MacAddress: macAddress, ...endpoints[network] }
  return { ...body, NetworkingConfig: { EndpointsConfig: { ...endpoints, [network]: endpoint } } }
}

/** Until 1.44 the short id was among the aliases, and there were no DNS names to find it in. */
function forVersion(inspect: ContainerInspect, minor: number): ContainerInspect {
  if (minor >= 45) return inspect
  const shortId = inspect.Id.slice(0, 12)
  const networks = Object.entries(inspect.NetworkSettings.Networks).map(
    ([name, { DNSNames, ...endpoint }]) => {
      const aliases = endpoint.Aliases ?? []
      const all = name === 'bridge' || aliases.includes(shortId) ? endpoint.Aliases : [...aliases, shortId]
      return [name, { ...endpoint, Aliases: all, ...(minor >= 44 && { DNSNames }) }] as const
    },
  )
  return {
    ...inspect,
    NetworkSettings: { ...inspect.NetworkSettings, Networks: Object.fromEntries(networks) },
  }
}
