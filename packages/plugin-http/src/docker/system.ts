import { authConfig } from './bodies.ts'
import { engineInfo, engineVersion } from './engine-info.ts'
import { listEntry } from './images.ts'
import { answerJson, readJson } from './json.ts'
import { checkRegistryLogin } from './registry-login.ts'
import type { DockerContext, DockerServices } from './types.ts'
import { volumeBody } from './volumes.ts'

type SystemServices = Pick<DockerServices, 'containers' | 'images' | 'volumes' | 'engine'>

export function systemHandlers({ containers, images, volumes, engine }: SystemServices) {
  /** Clients decide by these headers how to speak: `Builder-Version` 1 means the classic builder. */
  function ping(): Response {
    return new Response('OK', {
      headers: {
        'Content-Type': 'text/plain; charset=utf-8',
        'Builder-Version': '1',
        'Cache-Control': 'no-cache, no-store, must-revalidate',
        Pragma: 'no-cache',
        Swarm: 'inactive',
      },
    })
  }

  const showVersion = (): Response => answerJson(engineVersion(engine))

  async function showInfo(): Promise<Response> {
    const [list, stored] = await Promise.all([containers.list({ all: true }), images.list({ all: true })])
    return answerJson(engineInfo(engine, { states: list.map(({ State }) => State), images: stored.length }))
  }

  /** Since 1.42 `type` says what is wanted. */
  async function diskUsage(context: DockerContext): Promise<Response> {
    const { minor } = context.var.version
    const types = minor >= 42 ? (context.req.queries('type') ?? []) : []
    const wants = (type: string) => types.length === 0 || types.includes(type)
    const imageList = wants('image') ? await images.list({ all: true }) : []
    const containerList = wants('container') ? await containers.list({ all: true, size: true }) : []
    const volumeList = wants('volume') ? await volumes.list({ size: true }) : []
    return answerJson({
      ...(wants('image') && { LayersSize: imageList.reduce((sum, image) => sum + image.size, 0) }),
      Images: wants('image')
        ? imageList.map((image) => ({
            ...listEntry(image, minor),
            SharedSize: 0,
            Containers: image.containers,
          }))
        : null,
      Containers: wants('container') ? containerList : null,
      Volumes: wants('volume') ? volumeList.map(volumeBody) : null,
      BuildCache: null,
      ...(minor < 42 && { BuilderSize: 0 }),
    })
  }

  /** `docker login` asks whether the registry takes the name and the password. */
  async function checkAuth(context: DockerContext): Promise<Response> {
    const {
      username = '',
      password = '',
      serveraddress = '',
    } = authConfig(await readJson(context.req.raw), '')
    await checkRegistryLogin({ username, password, server: serveraddress, signal: context.env.signal })
    return answerJson({ Status: 'Login Succeeded', IdentityToken: '' })
  }

  return { ping, showVersion, showInfo, diskUsage, checkAuth }
}
