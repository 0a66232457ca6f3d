import { type ImageDetail, type ImageSummary, invalid, notSupported } from '@kernel/contracts'
import { streamBody } from '../server/stream-body.ts'
import { unixSeconds } from '../times.ts'
import { bodyOf } from './archives.ts'
import { queryFilters } from './filters.ts'
import { answerJson } from './json.ts'
import { progressStream } from './progress.ts'
import { boolQuery, changeLines, pathName } from './queries.ts'
import { parseRegistryAuth } from './registry-auth.ts'
import type { DockerContext, DockerServices } from './types.ts'

/** Images: what there is, and what comes in and goes out. */
export function imageHandlers({ images, builder }: Pick<DockerServices, 'images' | 'builder'>) {
  async function listImages(context: DockerContext): Promise<Response> {
    const filters = queryFilters(context)
    // Until 1.41 a name came in a query of its own.
    const name = context.req.query('filter')
    if (name) filters.reference = [...(filters.reference ?? []), name]
    const list = await images.list({ all: boolQuery(context, 'all'), filters })
    return answerJson(list.map((image) => listEntry(image, context.var.version.minor)))
  }

  async function inspectImage(context: DockerContext): Promise<Response> {
    const image = await images.inspect(pathName(context, 'name'))
    return answerJson(inspectBody(image, context.var.version.minor))
  }

  async function imageHistory(context: DockerContext): Promise<Response> {
    const history = await images.history(pathName(context, 'name'))
    return answerJson(
      history.map(({ id, created, created_by, tags, size, comment }) => ({
        Comment: comment ?? '',
        Created: created === undefined ? 0 : unixSeconds(created),
        CreatedBy: created_by ?? '',
        Id: id,
        Size: size,
        Tags: tags.length > 0 ? tags : null,
      })),
    )
  }

  /** `POST /images/create`: pulls. */
  async function createImage(context: DockerContext): Promise<Response> {
    const name = context.req.query('fromImage')
    if (!name) return importImage(context)
    const ref = reference(name, context.req.query('tag'))
    const auth = parseRegistryAuth(context.req.header('x-registry-auth'))
    const platform = context.req.query('platform')
    const { signal } = context.env
    return progressStream(async (report) => {
      await images.pull(ref, { signal, ...(auth && { auth }), ...(platform && { platform }) }, report)
      return []
    })
  }

  /** A file system as an image: its tar in the body (`fromSrc=-`), or at a URL. */
  async function importImage(context: DockerContext): Promise<Response> {
    const { req, env } = context
    const source = req.query('fromSrc')
    if (!source) throw invalid('fromImage is missing: it names the image to pull')
    const repository = req.query('repo')
    const platform = req.query('platform')
    const message = req.query('message')
    const tar = source === '-' ? bodyOf(context) : undefined
    return progressStream(async () => {
      const { id } = await builder.importTar(tar ?? { url: source }, {
        signal: env.signal,
        changes: changeLines(context),
        ...(repository && { tag: reference(repository, req.query('tag')) }),
        ...(platform && { platform }),
        ...(message && { message }),
      })
      return [{ status: id }]
    })
  }

  async function tagImage(context: DockerContext): Promise<Response> {
    const repository = context.req.query('repo')
    if (!repository) throw invalid('invalid reference format: repo is missing')
    await images.tag(pathName(context, 'name'), reference(repository, context.req.query('tag')))
    return new Response(null, { status: 201 })
  }

  async function deleteImage(context: DockerContext): Promise<Response> {
    const options = { force: boolQuery(context, 'force'), noPrune: boolQuery(context, 'noprune') }
    const removed = await images.remove(pathName(context, 'name'), options)
    return answerJson(
      removed.map((item) => ('untagged' in item ? { Untagged: item.untagged } : { Deleted: item.deleted })),
    )
  }

  async function loadImages(context: DockerContext): Promise<Response> {
    const { body } = context.req.raw
    if (body === null) throw invalid('The body is missing: it is a tar archive of images')
    const quiet = boolQuery(context, 'quiet')
    return progressStream(async (report) => {
      const told = new Set<string>()
      const loaded = await images.load(body, (message) => {
        const isResult = /^Loaded image/.test(message.stream ?? '')
        if (isResult) told.add(message.stream!)
        if (isResult || !quiet) report(message)
      })
      // Clients look for these lines; a store that says them itself is not repeated.
      return loaded.map(loadedLine).filter(({ stream }) => !told.has(stream))
    })
  }

  /** `POST /images/{name}/push`: the tag comes in the query; without one all tags of the name go. */
  async function pushImage(context: DockerContext): Promise<Response> {
    const ref = reference(pathName(context, 'name'), context.req.query('tag'))
    const auth = parseRegistryAuth(context.req.header('x-registry-auth'))
    const { signal } = context.env
    return progressStream(async (report) => {
      let told = false
      const pushed = await images.push(ref, { signal, ...(auth && { auth }) }, (message) => {
        told ||= message.aux !== undefined
        report(message)
      })
      if (told) return []
      return pushed.map(({ tag, digest, size }) => ({ aux: { Tag: tag, Digest: digest, Size: size } }))
    })
  }

  async function saveImages(refs: string[]): Promise<Response> {
    const archive = await images.save(refs)
    return new Response(streamBody(archive), { headers: { 'Content-Type': 'application/x-tar' } })
  }
  const getImage = (context: DockerContext): Promise<Response> => saveImages([pathName(context, 'name')])
  const getImages = (context: DockerContext): Promise<Response> => {
    const names = context.req.queries('names') ?? []
    if (names.length === 0) throw invalid('names is missing: it says which images go into the archive')
    return saveImages(names.flatMap((name) => name.split(',')))
  }

  async function pruneImages(context: DockerContext): Promise<Response> {
    const { deleted, spaceReclaimed } = await images.prune({ filters: queryFilters(context) })
    const items = deleted.map((item) => (item.startsWith('sha256:') ? { Deleted: item } : { Untagged: item }))
    return answerJson({ ImagesDeleted: items.length > 0 ? items : null, SpaceReclaimed: spaceReclaimed })
  }

  function searchImages(): Response {
    throw notSupported('Searching needs the index of Docker Hub; look there: https://hub.docker.com/search')
  }

  return {
    listImages,
    inspectImage,
    imageHistory,
    createImage,
    tagImage,
    deleteImage,
    loadImages,
    pushImage,
    getImage,
    getImages,
    pruneImages,
    searchImages,
  }
}

/** How clients are told what an archive held. */
function loadedLine(ref: string) {
  const what = ref.startsWith('sha256:') ? 'Loaded image ID' : 'Loaded image'
  return { stream: `${what}: ${ref}\n` }
}

/** Name and tag as the queries have them; the tag may be a digest, and the name may hold either already. */
export function reference(name: string, tag: string | undefined): string {
  if (!tag) return name
  return tag.includes(':') ? `${name}@${tag}` : `${name}:${tag}`
}

const listOrNull = (items: string[]) => (items.length > 0 ? items : null)

/** An entry of `GET /images/json` (definition ImageSummary). */
export function listEntry(image: ImageSummary, minor: number) {
  // Before 1.43 untagged images had a name that says so.
  const unnamed = minor < 43 && image.repoTags.length === 0 && image.repoDigests.length === 0
  return {
    Containers: minor >= 51 ? image.containers : -1,
    Created: unixSeconds(image.created),
    Id: image.id,
    Labels: Object.keys(image.labels).length > 0 ? image.labels : null,
    ParentId: image.parentId,
    RepoDigests: unnamed ? ['<none>@<none>'] : minor < 43 ? listOrNull(image.repoDigests) : image.repoDigests,
    RepoTags: unnamed ? ['<none>:<none>'] : minor < 43 ? listOrNull(image.repoTags) : image.repoTags,
    SharedSize: -1,
    Size: image.size,
    ...(minor < 44 && { VirtualSize: image.size }),
  }
}

/** Fields that an image's configuration had until 1.50 whether they said something or not. */
const unsetConfig = {
  Hostname: '',
  Domainname: '',
  User: '',
  AttachStdin: false,
  AttachStdout: false,
  AttachStderr: false,
  Tty: false,
  OpenStdin: false,
  StdinOnce: false,
  Env: null,
  Cmd: null,
  Image: '',
  Volumes: null,
  WorkingDir: '',
  Entrypoint: null,
  OnBuild: null,
  Labels: null,
}

/** `GET /images/{name}/json` (definition ImageInspect). */
function inspectBody(image: ImageDetail, minor: number) {
  const { config } = image
  return {
    Id: image.id,
    RepoTags: image.repoTags,
    RepoDigests: image.repoDigests,
    Parent: image.parentId,
    Comment: config.history?.at(-1)?.comment ?? '',
    Created: image.created,
    DockerVersion: '',
    Author: config.author ?? '',
    ...(minor < 45 && { Container: '' }),
    // Gone since 1.45, but docker-compose 1.29 speaks the newest version there is and looks into it.
    ContainerConfig: { ...unsetConfig },
    Config: minor < 50 ? { ...unsetConfig, ...config.config } : (config.config ?? {}),
    Architecture: config.architecture,
    ...(config.variant && { Variant: config.variant }),
    Os: config.os,
    Size: image.size,
    ...(minor < 44 && { VirtualSize: image.size }),
    GraphDriver: { Data: {}, Name: 'overlay2' },
    RootFS: { Type: 'layers', Layers: image.diffIds },
    Metadata: { LastTagTime: '0001-01-01T00:00:00Z' },
  }
}
