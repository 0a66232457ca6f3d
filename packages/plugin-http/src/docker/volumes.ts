import { unavailable, type VolumeInspect } from '@kernel/contracts'
import { volumeCreate } from './bodies.ts'
import { queryFilters } from './filters.ts'
import { answerJson, readJson } from './json.ts'
import { boolQuery, pathName } from './queries.ts'
import type { DockerContext, DockerServices } from './types.ts'

export function volumeHandlers({ volumes }: Pick<DockerServices, 'volumes'>) {
  async function listVolumes(context: DockerContext): Promise<Response> {
    const list = await volumes.list({ filters: queryFilters(context) })
    return answerJson({ Volumes: list.map(volumeBody), Warnings: null })
  }

  async function inspectVolume(context: DockerContext): Promise<Response> {
    return answerJson(volumeBody(await volumes.inspect(pathName(context, 'name'))))
  }

  async function createVolume(context: DockerContext): Promise<Response> {
    const body = volumeCreate((await readJson(context.req.raw, { allowEmpty: true })) ?? {}, '')
    return answerJson(volumeBody(await volumes.create(body)), 201)
  }

  /** For cluster volumes, of which a swarm has some. */
  async function updateVolume(context: DockerContext): Promise<Response> {
    await readJson(context.req.raw)
    throw unavailable(
      'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
    )
  }

  async function deleteVolume(context: DockerContext): Promise<Response> {
    await volumes.remove(pathName(context, 'name'), { force: boolQuery(context, 'force') })
    return new Response(null, { status: 204 })
  }

  /** Until 1.42 named volumes went too. */
  async function pruneVolumes(context: DockerContext): Promise<Response> {
    const filters = queryFilters(context)
    if (context.var.version.minor < 42) filters.all ??= ['true']
    const { deleted, spaceReclaimed } = await volumes.prune({ filters })
    return answerJson({ VolumesDeleted: deleted, SpaceReclaimed: spaceReclaimed })
  }

  return { listVolumes, inspectVolume, createVolume, updateVolume, deleteVolume, pruneVolumes }
}

/** No options are null, as Go has it. */
export function volumeBody(volume: VolumeInspect) {
  return { ...volume, Options: Object.keys(volume.Options).length > 0 ? volume.Options : null }
}
