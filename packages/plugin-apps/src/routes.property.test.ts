import fc from 'fast-check'
import { expect, it } from 'vitest'
import { newWorld, startPlugin, tree, until, type World } from './testing/harness.ts'

type Step =
  | { do: 'push'; behaviour: 'ok' | 'exit' | 'status:500' }
  | { do: 'scale'; web: number; worker: number }
  | { do: 'crash' | 'fail'; pick: number }
  | { do: 'restart' | 'stop' | 'start' | 'rollback' | 'config' | 'comeBack' }

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('push' as const), behaviour: fc.constantFrom('ok', 'exit', 'status:500') }),
  fc.record({ do: fc.constant('scale' as const), web: fc.nat(3), worker: fc.nat(2) }),
  fc.record({ do: fc.constantFrom('crash' as const, 'fail' as const), pick: fc.nat(5) }),
  fc.record({
    do: fc.constantFrom('restart', 'stop', 'start', 'rollback', 'config', 'comeBack' as const),
  }) as fc.Arbitrary<Step>,
)

/**
 * Every table that is published leads to processes that run, and no routed process is ended by us. A process that
 * dies by itself is known a moment later: until then, `isAware` is false.
 */
function guard(world: World, violations: string[], isAware: () => boolean): void {
  world.router.onTable = (table) => {
    for (const { state, targets } of table) {
      if ((state === 'up') !== targets.length > 0) violations.push(`${state} with ${targets.length} targets`)
      for (const { id } of targets)
        if (isAware() && world.scheduler.processes.get(id)?.workload.status !== 'running')
          violations.push('published a target that does not run')
    }
  }
  world.scheduler.beforeEnd = ({ id, name, status }) => {
    const routed = world.router.tables
      .at(-1)
      ?.some(({ targets }) => targets.some((target) => target.id === id))
    if (routed && status === 'running') violations.push(`ended ${name} while it was routed`)
  }
}

it('routes never lead to a process that does not run', { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), fc.nat(2), async (steps, frozen) => {
      const world = await newWorld()
      const violations: string[] = []
      let aware = true
      guard(world, violations, () => aware)
      const plugin = await startPlugin(world)
      try {
        await plugin.apps.create('hello')
        await plugin.apps.set('hello', 'keep-frozen', String(frozen))
        const webs = () =>
          [...world.scheduler.processes.values()]
            .map(({ workload }) => workload)
            .filter((w) => w.processType === 'web' && w.status !== 'frozen')
        // The table has exactly the processes that run, whatever happened.
        const settled = () =>
          until('the table', async () => {
            const report = await plugin.apps.report('hello')
            const { processes } = await plugin.processes.report('hello')
            const running = processes
              .filter(({ type, status }) => type === 'web' && status === 'running')
              .map(({ workloadId }) => workloadId)
            const routes = await world.router.list()
            const targets = routes.flatMap((route) => route.targets.map(({ id }) => id))
            return (
              (report.release === undefined || routes.length === 1) &&
              targets.sort().join() === running.sort().join()
            )
          })
        for (const [at, one] of steps.entries()) {
          const isAccident = one.do === 'crash' || one.do === 'fail'
          if (isAccident) aware = false
          const run = async (): Promise<unknown> => {
            switch (one.do) {
              case 'push':
                return plugin.push(
                  'hello',
                  tree(
                    { web: one.behaviour, content: String(at) },
                    { 'app.json': '{"healthchecks":{"web":[{"path":"/","attempts":1}]}}' },
                  ),
                )
              case 'scale':
                return plugin.processes.scale('hello', { web: one.web, worker: one.worker })
              case 'crash':
              case 'fail': {
                const running = webs().filter(({ status }) => status === 'running')
                const victim = running[one.pick % Math.max(1, running.length)]
                if (victim)
                  await world.scheduler.end(victim.id, 1, one.do === 'fail' ? 'restarting' : 'exited')
                return
              }
              case 'comeBack': {
                const waiting = webs().find(({ status }) => status === 'restarting')
                if (waiting) await world.scheduler.comeBack(waiting.id)
                return
              }
              case 'rollback':
                return plugin.releases.rollback('hello')
              case 'config':
                return plugin.config.update('hello', { set: { STEP: String(at) } })
              default:
                return plugin.processes[one.do]('hello')
            }
          }
          // Much of it is refused in the state it comes to; that is part of the property.
          await run().catch(() => {})
          if (isAccident) {
            await settled()
            aware = true
          }
        }
        await settled()
        expect(violations).toEqual([])
      } finally {
        await plugin.stop()
        await world.close()
      }
    }),
    { numRuns: 60 },
  )
})
