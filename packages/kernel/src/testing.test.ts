import { expect, test } from 'vitest'
import { z } from 'zod'
import { defineHook, definePlugin, defineService } from './index.ts'
import { fake, memoryLogger, setupPlugin } from './testing.ts'

const Clock = defineService<{ hour(): number; zone(): string }>('clock')
const Greeter = defineService<{ greet(name: string): Promise<string> }>('greeter')
const greeting = defineHook.waterfall<string>('greeting')
const greeted = defineHook.series<{ name: string }>('greeted')

const greeter = definePlugin({
  name: 'greeter',
  version: '1.0.0',
  kernel: '^1',
  requires: [Clock],
  provides: [Greeter],
  config: z.object({ evening: z.number() }),
  setup(ctx) {
    ctx.on(greeting, (text) => `${text}!`, { order: 'post' })
    ctx.defer(() => ctx.log.info('good night'))
    ctx.provide(Greeter, {
      async greet(name) {
        const text = ctx.use(Clock).hour() < ctx.config.evening ? 'Hello' : 'Good evening'
        await ctx.call(greeted, { name })
        return ctx.call(greeting, `${text} ${name}`)
      },
    })
  },
})

test('a plugin is tried with fakes', async () => {
  const log = memoryLogger()
  const services = [fake(Clock, { hour: () => 19 })]
  const under = await setupPlugin(greeter, { config: { evening: 18 }, services, log })
  const seen: unknown[] = []
  under.on(greeted, (event) => void seen.push(event))
  expect(under.hooks).toEqual(['greeting'])
  expect(await under.provided(Greeter).greet('Ada')).toBe('Good evening Ada!')
  expect(await under.call(greeting, 'Hi')).toBe('Hi!')
  expect(under.provided(Clock).hour()).toBe(19)
  expect(seen).toEqual([{ name: 'Ada' }])
  await under.stop()
  expect(log.entries).toContainEqual({ level: 'info', message: 'good night', fields: { plugin: 'greeter' } })
})

test('a plugin without needs is tried without options', async () => {
  const under = await setupPlugin(definePlugin({ name: 'plain', version: '1.0.0', kernel: '^1', setup() {} }))
  expect(under.hooks).toEqual([])
  await under.stop()
})

test('a fake is due for every required service', async () => {
  await expect(setupPlugin(greeter, { config: { evening: 18 } })).rejects.toMatchObject({
    code: 'SERVICE_MISSING',
  })
})

test('a memory log keeps lines without fields, too', () => {
  const log = memoryLogger()
  log.warn('careful')
  expect(log.entries).toEqual([{ level: 'warn', message: 'careful', fields: {} }])
})
