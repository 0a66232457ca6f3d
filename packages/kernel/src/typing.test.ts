import { expectTypeOf, test } from 'vitest'
import { type Answer, defineHook, definePlugin, defineService, type StandardSchema } from './index.ts'

const Clock = defineService<{ hour(): number }>('clock')
const Mail = defineService<{ send(to: string): Promise<void> }>('mail')
const Greeter = defineService<{ greet(name: string): string }>('greeter')
const settings = {} as StandardSchema<{ port?: number }, { port: number }>

const series = defineHook.series<{ app: string }>('series')
const bail = defineHook.bail<{ dir: string }, 'dockerfile' | 'buildpack'>('bail')
const bare = defineHook.waterfall<string[]>('bare')
const withContext = defineHook.waterfall<string[], { app: string }>('with-context')
const around = defineHook.around<{ app: string }, number>('around')

test('the types of a plugin follow from its manifest', () => {
  definePlugin({
    name: 'typed',
    version: '1.0.0',
    kernel: '^1',
    requires: [Clock],
    optional: [Mail],
    provides: [Greeter],
    config: settings,
    async setup(ctx) {
      expectTypeOf(ctx.config).toEqualTypeOf<{ port: number }>()
      expectTypeOf(ctx.use(Clock)).toEqualTypeOf<{ hour(): number }>()
      expectTypeOf(ctx.use(Mail)).toEqualTypeOf<{ send(to: string): Promise<void> } | undefined>()
      // @ts-expect-error Greeter is provided, not required
      ctx.use(Greeter)
      ctx.provide(Greeter, { greet: (name) => name.toUpperCase() })
      // @ts-expect-error the wrong implementation
      ctx.provide(Greeter, { greet: () => 1 })
      // @ts-expect-error Clock is not in provides
      ctx.provide(Clock, { hour: () => 1 })
    },
  })
  definePlugin({
    name: 'bare',
    version: '1.0.0',
    kernel: '^1',
    setup(ctx) {
      expectTypeOf(ctx.config).toEqualTypeOf<undefined>()
      // @ts-expect-error nothing is required
      ctx.use(Clock)
    },
  })
})

test('the types of handlers and calls follow from the kind of the hook', () => {
  definePlugin({
    name: 'hooked',
    version: '1.0.0',
    kernel: '^1',
    async setup(ctx) {
      ctx.on(series, ({ app }) => expectTypeOf(app).toEqualTypeOf<string>() as unknown as undefined)
      ctx.on(bail, async ({ dir }) => (dir === '' ? undefined : 'dockerfile'), { order: 'pre' })
      // @ts-expect-error not one of the answers
      ctx.on(bail, () => 'unknown')
      ctx.on(withContext, (value, { app }) => [...value, app], { after: ['other'] })
      // @ts-expect-error a waterfall must return
      ctx.on(withContext, () => {})
      ctx.on(around, async (_event, next) => (await next()) + 1)

      expectTypeOf(ctx.call(series, { app: 'a' })).toEqualTypeOf<Promise<void>>()
      expectTypeOf(ctx.call(bail, { dir: 'd' })).toEqualTypeOf<
        Promise<Answer<'dockerfile' | 'buildpack'> | undefined>
      >()
      expectTypeOf(ctx.call(bare, [])).toEqualTypeOf<Promise<string[]>>()
      expectTypeOf(ctx.call(withContext, [], { app: 'a' })).toEqualTypeOf<Promise<string[]>>()
      // @ts-expect-error the context is due
      ctx.call(withContext, [])
      expectTypeOf(ctx.call(around, { app: 'a' }, async () => 1)).toEqualTypeOf<Promise<number>>()
      // @ts-expect-error the core is due
      ctx.call(around, { app: 'a' })
      // @ts-expect-error the wrong event
      ctx.call(series, { dir: 'a' })
    },
  })
})
