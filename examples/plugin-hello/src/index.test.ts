import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  builderBuild,
  builderDetect,
  type DeployLine,
  type DeployOutput,
  type EngineEvent,
  Events,
  postDeploy,
  preDeploy,
} from '@kernel/contracts'
import {
  fake,
  type MemoryLogger,
  memoryLogger,
  type PluginUnderTest,
  setupPlugin,
} from '@kernel/kernel/testing'
import { afterEach, describe, expect, it } from 'vitest'
import hello, { Greetings } from './index.ts'

let plugin: PluginUnderTest
let log: MemoryLogger
const published: Array<Pick<EngineEvent, 'Type' | 'Action' | 'Actor'>> = []
const lines: DeployLine[] = []
const line = (kind: DeployLine['kind']) => (text: string) => void lines.push({ kind, text })
const output: DeployOutput = {
  section: line('section'),
  step: line('step'),
  detail: line('detail'),
  error: line('error'),
}

async function start(config: unknown = {}) {
  log = memoryLogger()
  plugin = await setupPlugin(hello, {
    config,
    log,
    services: [fake(Events, { publish: (event) => void published.push(event) })],
  })
}
afterEach(async () => {
  await plugin?.stop()
  published.length = 0
  lines.length = 0
})
const deployed = (app = 'blog') =>
  plugin.call(postDeploy, { app, releaseId: 'v3', urls: ['http://blog.localhost'], output })

describe('after a deploy', () => {
  it('greets the app, publishes an event and counts', async () => {
    await start({ greeting: 'Welcome' })
    await deployed()
    await deployed()
    expect(lines[0]).toEqual({ kind: 'step', text: 'Welcome, blog v3!' })
    expect(published[0]).toEqual({
      Type: 'app',
      Action: 'greet',
      Actor: { ID: 'blog', Attributes: { release: 'v3' } },
    })
    expect(await plugin.provided(Greetings).counts()).toEqual({ blog: 2 })
  })

  it('tells the webhook, with the token', async () => {
    const told: unknown[] = []
    const webhook = await listen(async (request) => {
      let body = ''
      for await (const piece of request) body += piece
      told.push([request.headers.authorization, JSON.parse(body)])
      return 204
    })
    try {
      await start({ webhook: webhook.url, webhookToken: 'secret' })
      await deployed()
      expect(told).toEqual([
        ['Bearer secret', { app: 'blog', release: 'v3', urls: ['http://blog.localhost'] }],
      ])
      expect(lines.filter(({ kind }) => kind === 'error')).toEqual([])
    } finally {
      webhook.close()
    }
  })

  it('says so where the webhook fails, and lets the deploy be', async () => {
    const webhook = await listen(async () => 500)
    try {
      await start({ webhook: webhook.url, webhookToken: 'secret' })
      await deployed()
      expect(lines.at(-1)).toEqual({
        kind: 'error',
        text: 'The webhook was not told: the webhook answered 500',
      })
      expect(log.entries.at(-1)).toMatchObject({ level: 'warn', fields: { plugin: 'hello', app: 'blog' } })
      expect(JSON.stringify(log.entries)).not.toContain('secret')
    } finally {
      webhook.close()
    }
  })
})

describe('a frozen app', () => {
  it('is not deployed, and others are', async () => {
    await start({ frozen: ['bank'] })
    const deploy = (app: string) => plugin.call(preDeploy, { app, releaseId: 'v1', output })
    await expect(deploy('bank')).rejects.toMatchObject({
      code: 'HOOK_FAILED',
      plugin: 'hello',
      hook: 'pre-deploy',
      cause: { kind: 'denied', message: 'bank is frozen, nothing was deployed.' },
    })
    await deploy('blog')
  })
})

describe('the builder', () => {
  it('is for sources with a hello.txt', async () => {
    await start()
    const dir = await mkdtemp(join(tmpdir(), 'hello-'))
    try {
      expect(await plugin.call(builderDetect, { app: 'blog', dir })).toBeUndefined()
      await writeFile(join(dir, 'hello.txt'), 'Hi\n')
      expect(await plugin.call(builderDetect, { app: 'blog', dir })).toEqual({
        value: 'hello',
        plugin: 'hello',
      })
      const asked = { app: 'blog', dir, output }
      expect((await plugin.call(builderBuild, { ...asked, builder: 'hello' }))?.value.builder).toBe('hello')
      expect(await plugin.call(builderBuild, { ...asked, builder: 'node' })).toBeUndefined()
    } finally {
      await rm(dir, { recursive: true })
    }
  })
})

describe('its settings', () => {
  it.each([{ greting: 'Hi' }, { webhook: 'ftp://x' }, { timeoutSec: 0 }])(
    '%j are refused',
    async (config) => {
      await expect(start(config)).rejects.toMatchObject({ code: 'CONFIG_INVALID', plugin: 'hello' })
    },
  )
})

async function listen(answer: (request: import('node:http').IncomingMessage) => Promise<number>) {
  const server = createServer(async (request, response) => response.writeHead(await answer(request)).end())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  return { url: `http://127.0.0.1:${port}/`, close: () => server.close() }
}
