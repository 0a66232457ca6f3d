import {
  Containers,
  type EngineEvent,
  Events,
  HttpServer,
  ImageBuilder,
  Images,
  Metrics,
  Networks,
  notFound,
  Volumes,
} from '@kernel/contracts'
import { fake, setupPlugin } from '@kernel/kernel/testing'
import { onTestFinished } from 'vitest'
import { dockerApi } from '../docker/docker-plugin.ts'
import { fakeContainers } from './fake-containers.ts'
import { type Program, Queue } from './fake-process.ts'
import { startTestServer } from './start-server.ts'

export const imageId = `sha256:${'a'.repeat(64)}` as const

const image = {
  id: imageId,
  repoTags: ['busybox:latest'],
  repoDigests: [],
  created: '2026-01-01T00:00:00.000000000Z',
  size: 4_000_000,
  labels: {},
  parentId: '',
  containers: 1,
}

/** For tests: Docker's API on a real socket, over fakes. */
export async function startDockerServer(
  programs: Record<string, Program> = {},
  overrides: {
    images?: Partial<Images>
    builder?: Partial<ImageBuilder>
    networks?: Partial<Networks>
    volumes?: Partial<Volumes>
  } = {},
) {
  const server = await startTestServer()
  const fakes = fakeContainers(programs)
  const subscribers = new Set<Queue<EngineEvent>>()
  const missing = (what: string) => async (name: string) => {
    throw notFound(`${what}: ${name}`)
  }
  const plugin = await setupPlugin(dockerApi, {
    config: { dataDir: server.dir, version: '0.1.0' },
    services: [
      fake(HttpServer, server.server),
      fake(Metrics, server.metrics),
      fake(Containers, fakes.containers),
      fake(Images, {
        list: async () => [image],
        inspect: async (ref) => {
          if (ref !== 'busybox' && ref !== 'busybox:latest') throw notFound(`No such image: ${ref}`)
          return {
            ...image,
            config: { architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [] } },
            diffIds: [],
          }
        },
        ...overrides.images,
      }),
      fake(ImageBuilder, { ...overrides.builder }),
      fake(Networks, { list: async () => [], inspect: missing('network not found'), ...overrides.networks }),
      fake(Volumes, { list: async () => [], inspect: missing('no such volume'), ...overrides.volumes }),
      fake(Events, {
        subscribe({ signal } = {}) {
          const queue = new Queue<EngineEvent>()
          subscribers.add(queue)
          signal?.addEventListener('abort', () => {
            queue.end()
            subscribers.delete(queue)
          })
          return queue
        },
      }),
    ],
  })
  onTestFinished(() => plugin.stop())
  return {
    ...server,
    fakes,
    subscribers,
    stopDocker: plugin.stop,
    publish(event: Pick<EngineEvent, 'Type' | 'Action' | 'Actor'>) {
      for (const queue of subscribers)
        queue.push({ ...event, scope: 'local', time: 1_700_000_000, timeNano: 1_700_000_000_123_456_789n })
    },
  }
}
