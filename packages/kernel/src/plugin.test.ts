import { expect, test } from 'vitest'
import { z } from 'zod'
import { assertPlugin, definePlugin } from './plugin.ts'
import { defineService } from './service.ts'

const S = defineService<string>('s')
const plugin = definePlugin({
  name: 'p',
  version: '1.0.0',
  kernel: '^1',
  requires: [S],
  config: z.object({}),
  setup() {},
})

test('what a manifest leaves out is filled in', () => {
  expect(plugin).toMatchObject({
    requires: [S],
    optional: [],
    provides: [],
    permissions: [],
    isolation: 'in-process',
  })
  expect(Object.isFrozen(plugin)).toBe(true)
  expect(() => assertPlugin(plugin, 'it')).not.toThrow()
})

test.each([
  ['name', ''],
  ['version', 1],
  ['kernel', undefined],
  ['requires', undefined],
  ['optional', [{ name: 's' }]],
  ['provides', [null]],
  ['provides', [{ name: '', kind: 'service' }]],
  ['config', {}],
  ['config', null],
  ['permissions', [1]],
  ['permissions', 'all'],
  ['isolation', 'process'],
  ['startTimeoutMs', 0],
  ['startTimeoutMs', 0.5],
  ['stopTimeoutMs', 2 ** 31],
  ['setup', {}],
])('%s may not be %j', (field, value) => {
  expect(() => assertPlugin({ ...plugin, [field]: value }, 'It')).toThrow(
    expect.objectContaining({
      code: 'PLUGIN_INVALID',
      message: expect.stringContaining(`\n  ${field} must be `),
    }),
  )
})

test.each([undefined, null, 'p'])('%j is no plugin', (value) => {
  expect(() => assertPlugin(value, 'It')).toThrow('It is not a plugin.')
})
