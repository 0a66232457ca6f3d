import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Daemon } from './harness/daemon.ts'
import { lacksContainers } from './harness/host.ts'
import { examples } from './harness/product.ts'
import { Repository } from './harness/repository.ts'
import { nodeApp } from './harness/sources.ts'
import { fetchPage } from './harness/visitor.ts'

const packages = { 'kernel-plugin-hello': join(examples, 'plugin-hello') }
const plugins = Object.keys(packages)

describe.skipIf(lacksContainers('plugins'))('a plugin that is a package', () => {
  const told: unknown[] = []
  const webhook = createServer(async (request, response) => {
    let body = ''
    for await (const piece of request) body += piece
    told.push([request.headers.authorization, JSON.parse(body)])
    response.end()
  })
  let daemon: Daemon

  beforeAll(async () => {
    expect(existsSync(join(packages['kernel-plugin-hello'], 'dist', 'index.js')), 'it has to be built').toBe(
      true,
    )
    webhook.listen(0, '127.0.0.1')
    await once(webhook, 'listening')
    const url = `http://127.0.0.1:${(webhook.address() as AddressInfo).port}/deploys`
    const hello = { greeting: 'Good morning', webhook: url, webhookToken: 's3cret', frozen: ['bank'] }
    daemon = await Daemon.open({ packages, config: { plugins, config: { hello } } })
  })
  afterAll(async () => {
    webhook.close()
    await daemon?.close()
  })

  it('is started with the others', async () => {
    const list = await daemon.json<Array<{ name: string; version: string; state: string }>>(['plugin:list'])
    expect(list).toContainEqual(
      expect.objectContaining({ name: 'hello', version: '1.0.0', state: 'started' }),
    )
    expect((await daemon.kernel(['plugin:list'])).stdout).toMatch(/^hello +1\.0\.0 +started/m)
  })

  it('takes part in a push: its builder, its greeting, its webhook', async () => {
    const repository = await Repository.create(daemon, 'blog', { 'hello.txt': 'Hi from a plugin\n' })
    const { output } = await repository.deploy()
    expect(output).toContain('-----> Building blog with the builder hello')
    expect(output).toContain('-----> Good morning, blog v1!')
    expect(await fetchPage(daemon.url('blog'))).toMatchObject({ status: 200, body: 'Hi from a plugin\n' })
    const urls = [daemon.url('blog').slice(0, -1)]
    expect(told).toEqual([['Bearer s3cret', { app: 'blog', release: 'v1', urls }]])
  })

  it('may refuse a deploy', async () => {
    const { code, output } = await (await Repository.create(daemon, 'bank', nodeApp('money'))).push()
    expect([code, output]).toEqual([
      1,
      expect.stringMatching(/^ ! {5}bank is frozen, nothing was deployed\./m),
    ])
    expect((await fetchPage(daemon.url('bank'))).status).not.toBe(200)
  })

  it('keeps its secrets out of the log', () => {
    expect(daemon.logTail(1000)).not.toContain('s3cret')
  })

  it.each([
    [
      'is not installed',
      { plugins: ['kernel-plugin-nothing'] },
      /"kernel-plugin-nothing" is not installed\. Install it with: npm install/,
    ],
    ['has no such section', { plugins, config: { helo: {} } }, /helo/],
    ['is not called that', { plugins: ['/etc/passwd'] }, /passwd/],
  ])('that %s keeps the daemon from its start, with the reason', async (_, config, reason) => {
    await expect(Daemon.open({ packages, config })).rejects.toThrow(reason)
  })

  it('whose settings are wrong is left out, and the rest serves', async () => {
    const other = await Daemon.open({ packages, config: { plugins, config: { hello: { greting: 'Hi' } } } })
    try {
      const list = await other.json<Array<{ name: string; state: string; reason?: string }>>(['plugin:list'])
      const hello = list.find(({ name }) => name === 'hello')
      expect([hello?.state, hello?.reason]).toEqual([
        expect.not.stringMatching('started'),
        expect.stringMatching(/greting/),
      ])
    } finally {
      await other.close()
    }
  })
})
