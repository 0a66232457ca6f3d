/** Small plugins and kernels for the kernel's own tests. @module */
import { expect } from 'vitest'
import { defineHook } from '../src/hook.ts'
import { createKernel, type KernelOptions, type PluginEntry } from '../src/kernel.ts'
import { definePlugin, type Plugin, type PluginContext } from '../src/plugin.ts'
import { type AnyService, defineService } from '../src/service.ts'
import { memoryLogger } from '../src/testing.ts'

export const A = defineService<string>('a')
export const B = defineService<string>('b')
export const tick = defineHook.series<string[]>('tick')

export type Shape = Partial<Omit<Plugin, 'setup'>>
export type SetupFn = (ctx: PluginContext) => unknown
/** A plugin that provides what it promises before its `setup` runs. */
export const plugin = (name: string, shape: Shape = {}, setup: SetupFn = () => {}): Plugin =>
  definePlugin({
    name,
    version: '1.2.3',
    kernel: '^1',
    ...shape,
    setup: async (ctx: PluginContext) => {
      for (const token of shape.provides ?? [])
        ctx.provide(token as AnyService, `${name}'s ${token.name}` as never)
      await setup(ctx)
    },
  })

export const create = (plugins: (Plugin | PluginEntry)[], options: Partial<KernelOptions> = {}) => {
  const log = memoryLogger()
  const entries = plugins.map((each) => ('plugin' in each ? each : { plugin: each, firstParty: true }))
  return { log, ...createKernel({ log, plugins: entries, ...options }) }
}
export const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.fail('it should have failed'),
    (error) => error,
  )
export const states = (kernel: ReturnType<typeof create>) =>
  Object.fromEntries(kernel.report().map(({ name, state }) => [name, state]))
export const throwing = (what: unknown) => () => {
  throw what
}
