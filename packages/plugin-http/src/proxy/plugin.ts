import { Metrics, Router } from '@kernel/contracts'
import { definePlugin } from '@kernel/kernel'
import { edgeConfig, settingsOf } from './config.ts'
import { createEdge } from './edge.ts'

/**
 * The edge: where visitors reach apps. Its ports are open as soon as it has started, and requests wait until the
 * first routes are in the table and somebody calls `ready` of the Router.
 */
export const edge = definePlugin({
  name: 'edge',
  version: '0.1.0',
  kernel: '^1',
  optional: [Metrics],
  provides: [Router],
  config: edgeConfig,
  async setup(ctx) {
    const { listen, listenTls, threads, graceSec } = ctx.config
    const router = await createEdge({
      listen,
      listenTls,
      settings: settingsOf(ctx.config),
      log: ctx.log,
      ...(threads !== undefined && { threads }),
    })
    ctx.defer(() => router.close(graceSec * 1000))
    const remove = ctx.use(Metrics)?.add(router.metrics)
    if (remove) ctx.defer(remove)
    ctx.provide(Router, router)
    ctx.log.info('The edge listens', {
      addresses: (await router.listeners()).map((l) => `${l.host}:${l.port}`),
    })
  },
})
