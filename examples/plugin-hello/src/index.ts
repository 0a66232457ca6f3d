/** A sample plugin of kernel; docs/plugin-guide.md walks through it. @module */
import { builderBuild, builderDetect, denied, Events, postDeploy, preDeploy } from '@kernel/contracts'
import { definePlugin } from '@kernel/kernel'
import { detect, plan } from './builder.ts'
import { config } from './config.ts'
import { Greetings } from './greetings.ts'
import { tellWebhook } from './webhook.ts'

export { Greetings } from './greetings.ts'

export default definePlugin({
  name: 'hello',
  version: '1.0.0',
  kernel: '^1',
  requires: [Events],
  provides: [Greetings],
  permissions: ['network'],
  config,
  setup(ctx) {
    const { greeting, frozen } = ctx.config
    const events = ctx.use(Events)
    const counts: Record<string, number> = {}

    // A hook that refuses: what is thrown is what the pusher reads, and nothing has changed.
    ctx.on(preDeploy, ({ app }) => {
      if (frozen.includes(app))
        throw denied(`${app} is frozen, nothing was deployed.`, {
          hint: "Take it out of 'frozen' in the daemon's config",
        })
    })

    // A builder of one's own: one hook says that it is for this source, the other how it builds.
    ctx.on(builderDetect, detect, { order: 'post' })
    ctx.on(builderBuild, ({ builder }) => (builder === 'hello' ? plan : undefined))

    // A hook that tells: the release serves already, so a webhook that fails must not fail the deploy.
    ctx.on(postDeploy, async ({ app, releaseId, urls, output }) => {
      counts[app] = (counts[app] ?? 0) + 1
      output.step(`${greeting}, ${app} ${releaseId}!`)
      events.publish({ Type: 'app', Action: 'greet', Actor: { ID: app, Attributes: { release: releaseId } } })
      try {
        await tellWebhook({ app, release: releaseId, urls }, ctx.config, ctx.signal)
      } catch (error) {
        ctx.log.warn('The webhook was not told', { app, error })
        output.error(`The webhook was not told: ${(error as Error).message}`)
      }
    })

    ctx.provide(Greetings, { counts: async () => ({ ...counts }) })
  },
})
