import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { assertKnownSections, parsePluginConfig, readPluginConfig, validateConfig } from './config.ts'
import { definePlugin } from './plugin.ts'
import type { SchemaResult, StandardSchema } from './schema.ts'

const withSchema = (config?: StandardSchema) =>
  definePlugin({ name: 'http', version: '1.0.0', kernel: '^1', config, setup() {} })

describe('the file', () => {
  let directory: string
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'kernel-config-'))
  })
  afterAll(() => rm(directory, { recursive: true }))

  test('is read', async () => {
    const file = join(directory, 'kernel.json')
    await writeFile(file, '{ "plugins": ["@acme/mail"], "config": { "mail": { "port": 25 } } }')
    expect(await readPluginConfig(file)).toEqual({ plugins: ['@acme/mail'], config: { mail: { port: 25 } } })
  })

  test.each([
    ['absent.json', undefined, /Cannot read .*absent\.json: ENOENT/],
    ['broken.json', '{', /Cannot read .*broken\.json: /],
  ])('%s is reported', async (name, content, message) => {
    const file = join(directory, name)
    if (content) await writeFile(file, content)
    await expect(readPluginConfig(file)).rejects.toThrow(message)
    await expect(readPluginConfig(file)).rejects.toMatchObject({ code: 'CONFIG_UNREADABLE' })
  })
})

describe('the document', () => {
  test('may leave everything out', () => {
    expect(parsePluginConfig({}, 'f')).toEqual({ plugins: [], config: {} })
  })

  test.each([
    [[], 'f: must be an object with "plugins" and "config"'],
    [null, 'f: must be an object with "plugins" and "config"'],
    [{ plugin: [] }, 'f: "plugin" is not known. Did you mean "plugins"?'],
    [{ plugins: 'a' }, 'f: "plugins" must be a list of package names'],
    [{ plugins: [1] }, 'f: "plugins" must be a list of package names'],
    [{ config: [] }, 'f: "config" must be an object with a section for each plugin'],
  ])('%j is refused', (document, message) => {
    expect(() => parsePluginConfig(document, 'f')).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', message }),
    )
  })

  test('may have no section that nobody reads', () => {
    const plugins = ['apps', 'git', 'http'].map((name) => ({ name }))
    expect(() => assertKnownSections({ git: {}, http: {} }, plugins)).not.toThrow()
    expect(() => assertKnownSections({ htpp: {} }, plugins)).toThrow('Did you mean "http"?')
    expect(() => assertKnownSections({ htpp: {} }, [])).toThrow('No plugin is loaded.')
  })
})

describe('the settings of a plugin', () => {
  const schema = z.object({
    port: z.number().default(80),
    tls: z.array(z.object({ name: z.string() })).default([]),
  })

  test('are what the schema makes of them', async () => {
    expect(await validateConfig(withSchema(schema), { port: 8080 })).toEqual({ port: 8080, tls: [] })
  })

  test('have the defaults of the schema where they are absent', async () => {
    expect(await validateConfig(withSchema(schema), undefined)).toEqual({ port: 80, tls: [] })
  })

  test('are refused with the path of every problem, and never with the value', async () => {
    const settings = { port: 'hunter2', tls: [{ name: 'a' }, { name: 7 }] }
    const error = await validateConfig(withSchema(schema), settings).catch((error: Error) => error)
    expect(error).toMatchObject({ code: 'CONFIG_INVALID', plugin: 'http' })
    expect((error as Error).message).toMatch(
      /^The settings of plugin "http" are not valid:\n {2}http\.port: .*\n {2}http\.tls\[1\]\.name: /,
    )
    expect((error as Error).message).not.toContain('hunter2')
  })

  test('are undefined without a schema, and refused where there are any', async () => {
    expect(await validateConfig(withSchema(), undefined)).toBeUndefined()
    await expect(validateConfig(withSchema(), {})).rejects.toThrow('it has no settings')
  })

  test('may have path segments that are objects, and problems without a path', async () => {
    const issues = [{ message: 'bad', path: [{ key: 'a' }, Symbol('s')] }, { message: 'all of it' }]
    await expect(validateConfig(withSchema(schemaOf(async () => ({ issues }))), {})).rejects.toThrow(
      '\n  http.a.Symbol(s): bad\n  http: all of it',
    )
  })

  test('blame the schema where it throws', async () => {
    const cause = new Error('boom')
    const broken = schemaOf(() => {
      throw cause
    })
    await expect(validateConfig(withSchema(broken), {})).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('its schema failed: boom'),
      cause,
    })
  })
})

function schemaOf(validate: () => SchemaResult<unknown> | Promise<SchemaResult<unknown>>): StandardSchema {
  return { '~standard': { version: 1, vendor: 'test', validate } }
}
