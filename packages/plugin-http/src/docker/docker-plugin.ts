import { createHash } from 'node:crypto'
import {
  Containers,
  Events,
  HttpServer,
  ImageBuilder,
  Images,
  Metrics,
  Networks,
  Volumes,
} from '@kernel/contracts'
import { definePlugin } from '@kernel/kernel'
import { Gauge, Registry } from 'prom-client'
import { z } from 'zod'
import { createDockerApp } from './app.ts'
import { isDockerHijack } from './routes.ts'
import type { DockerServices } from './types.ts'

/** Docker's API on the HTTP server: at the root, for whatever no other mount answers. */
export const dockerApi = definePlugin({
  name: 'docker-api',
  version: '0.1.0',
  kernel: '^1',
  requires: [HttpServer, Metrics, Containers, Images, ImageBuilder, Networks, Volumes, Events],
  config: z.strictObject({ dataDir: z.string(), version: z.string() }),
  setup(ctx) {
    const { dataDir, version } = ctx.config
    const services: DockerServices = {
      containers: ctx.use(Containers),
      images: ctx.use(Images),
      builder: ctx.use(ImageBuilder),
      networks: ctx.use(Networks),
      volumes: ctx.use(Volumes),
      events: ctx.use(Events),
      engine: {
        version,
        dataDir,
        id: createHash('sha256').update(dataDir).digest('hex').slice(0, 32),
        startedAt: new Date().toISOString(),
      },
    }
    const app = createDockerApp(services, ctx.log)
    const http = ctx.use(HttpServer)
    const answer = (request: Request, env: Parameters<typeof app.fetch>[1]) => app.fetch(request, env)
    ctx.defer(http.mount('/', answer, { auth: 'caller', hijacks: isDockerHijack }))
    // Whether somebody is there is no secret, and clients ask before they show their token.
    ctx.defer(http.mount('/_ping', answer, { auth: 'handler' }))
    ctx.defer(ctx.use(Metrics).add(() => containerMetrics(services)))
  },
})

/** How many containers are in which state. */
async function containerMetrics({ containers }: Pick<DockerServices, 'containers'>): Promise<string> {
  const registry = new Registry()
  const gauge = new Gauge({
    name: 'kernel_containers',
    help: 'Containers by state.',
    labelNames: ['state'],
    registers: [registry],
  })
  for (const state of ['created', 'running', 'paused', 'restarting', 'exited', 'dead'])
    gauge.set({ state }, 0)
  for (const { State } of await containers.list({ all: true })) gauge.inc({ state: State })
  return registry.metrics()
}
