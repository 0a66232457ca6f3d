import { readFileSync } from 'node:fs'
import {
  AppConfig,
  AppLogs,
  type AppSummary,
  Apps,
  apiRoutes,
  BaseImage,
  Checks,
  conflict,
  Deploys,
  Domains,
  diskLedger,
  type EngineEvent,
  Events,
  Ledger,
  notFound,
  Releases,
  Router,
  Scheduler,
  SshKeys,
} from '@kernel/contracts'
import { fake } from '@kernel/kernel/testing'
import { describe, expect, it } from 'vitest'
import { startApiServer } from '../testing/api-server.ts'
import { allOperations, describeApi } from './api.ts'
import { renderReference } from './reference.ts'
import type { ApiServices } from './services.ts'

const blog: AppSummary = {
  name: 'blog',
  state: 'running',
  urls: ['http://blog.example.com'],
  created: '2026-01-01T00:00:00Z',
  processes: { web: 2 },
  locked: false,
}

const nothingThere = 'There is nothing at this path'

describe('the API of the product', () => {
  it('serves every route of the contracts, with the answer that it promises', async () => {
    const operations = allOperations({} as ApiServices)
    for (const [name, route] of Object.entries(apiRoutes))
      expect([name, operations[name as keyof typeof operations].answer]).toEqual([name, route.answer])
    const { call } = await startApiServer()
    for (const { method, path } of Object.values(apiRoutes)) {
      const response = await call(method, path.replace(/\{\w+\}/g, 'x'))
      // The services of this test are empty: most fail there, or at the check of their input.
      expect([method, path, await response.text()]).not.toContainEqual(expect.stringContaining(nothingThere))
    }
    expect(await (await call('GET', '/nowhere')).text()).toContain(nothingThere)
  })

  it('passes parameters, bodies and queries on, checked', async () => {
    const calls: unknown[] = []
    const { call } = await startApiServer([
      fake(Apps, {
        list: async () => [blog],
        create: async (name) => ({ ...blog, name }),
        set: async (...args) => void calls.push(args),
      }),
      fake(Domains, {
        set: async (...args) => void calls.push(['set', ...args]),
        reset: async (...args) => void calls.push(['reset', ...args]),
        remove: async (...args) => void calls.push(['remove', ...args]),
      }),
      fake(SshKeys, { remove: async (key) => void calls.push(key) }),
    ])
    expect(await (await call('GET', '/apps')).json()).toEqual([blog])
    expect(await (await call('POST', '/apps', { name: 'shop' })).json()).toMatchObject({ name: 'shop' })
    expect((await call('PUT', '/apps/blog/settings/deploy-branch', { value: 'main' })).status).toBe(204)
    await call('PUT', '/apps/blog/domains', { domains: ['a.example'] })
    await call('PUT', '/apps/blog/domains', { domains: [] })
    await call('DELETE', '/apps/blog/domains?domain=a.example&domain=b.example')
    await call('DELETE', '/apps/blog/domains?domain=a.example')
    await call('DELETE', `/ssh-keys/${encodeURIComponent('SHA256:a/b+c=')}`)
    expect(calls).toEqual([
      ['blog', 'deploy-branch', 'main'],
      ['set', 'blog', ['a.example']],
      ['reset', 'blog'],
      ['remove', 'blog', ['a.example', 'b.example']],
      ['remove', 'blog', ['a.example']],
      'SHA256:a/b+c=',
    ])
  })

  it('names who cancels by their token, whatever they say', async () => {
    const calls: unknown[] = []
    const { call } = await startApiServer([
      fake(Deploys, {
        cancel: async (...args) => void calls.push(['cancel', ...args]),
        list: async (...args) => {
          calls.push(['list', ...args])
          return []
        },
        prune: async (...args) => {
          calls.push(['prune', ...args])
          return { removed: 2 }
        },
      }),
      fake(Releases, {
        rollback: async (...args) => {
          calls.push(['rollback', ...args.slice(0, 3)])
          throw conflict('blog v1 is not in the freezer')
        },
      }),
    ])
    expect((await call('DELETE', '/deploys/d1?by=mallory')).status).toBe(204)
    expect(await (await call('GET', '/deploys?limit=3')).json()).toEqual([])
    expect(await (await call('DELETE', '/apps/blog/deploys?keep=1')).json()).toEqual({ removed: 2 })
    expect((await call('POST', '/apps/blog/rollback', { release: '1', frozen: true })).status).toBe(409)
    expect((await call('POST', '/apps/blog/rollback')).status).toBe(409)
    expect(calls).toEqual([
      ['cancel', 'd1', 'test'],
      ['list', undefined, { limit: 3 }],
      ['prune', 'blog', 1],
      ['rollback', 'blog', '1', { frozen: true }],
      ['rollback', 'blog', undefined, {}],
    ])
  })

  it('says what is wrong with the input', async () => {
    const { call, url, token } = await startApiServer()
    const wrong = await call('POST', '/apps', { name: 7 })
    expect([wrong.status, await wrong.json()]).toEqual([
      400,
      { kind: 'invalid', message: expect.stringMatching(/^body\.name: .*expected string/), hint: '' },
    ])
    const noJson = await fetch(`${url}/api/v1/apps`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: '{',
    })
    expect([noJson.status, await noJson.json()]).toMatchObject([400, { kind: 'invalid' }])
    expect((await call('GET', '/apps/blog/deploys?limit=many')).status).toBe(400)
    expect((await fetch(`${url}/api/v1/apps`)).status).toBe(401)
  })

  it('gives failures the status of their kind', async () => {
    const { call } = await startApiServer([
      fake(Apps, {
        report: async (app) => {
          throw notFound(`There is no app "${app}"`, { hint: 'List them: kernel apps:list' })
        },
        create: async () => {
          throw conflict('There is an app "blog" already')
        },
      }),
    ])
    const missing = await call('GET', '/apps/ghost')
    expect([missing.status, await missing.json()]).toEqual([
      404,
      { kind: 'not-found', message: 'There is no app "ghost"', hint: 'List them: kernel apps:list' },
    ])
    expect((await call('POST', '/apps', { name: 'blog' })).status).toBe(409)
  })

  it('writes the lines of work as they come, then the result or the failure', async () => {
    const goOn = Promise.withResolvers<void>()
    const { call } = await startApiServer([
      fake(AppConfig, {
        async update(_app, { set }, onLine) {
          onLine?.({ kind: 'step', text: 'Restarting' })
          await goOn.promise
          return set ?? {}
        },
      }),
      fake(Checks, {
        async run(_app, onLine) {
          onLine?.({ kind: 'step', text: 'Checking' })
          throw conflict('It does not run')
        },
      }),
      fake(BaseImage, {
        ensure: async () => {
          throw notFound('no busybox')
        },
      }),
    ])
    const response = await call('PATCH', '/apps/blog/config', { set: { A: '1' } })
    expect(response.headers.get('content-type')).toBe('application/x-ndjson')
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
    expect((await reader.read()).value).toBe('{"kind":"step","text":"Restarting"}\n')
    goOn.resolve()
    expect((await reader.read()).value).toBe('{"result":{"A":"1"}}\n')
    expect((await reader.read()).done).toBe(true)
    expect(await (await call('POST', '/apps/blog/checks/run')).text()).toBe(
      '{"kind":"step","text":"Checking"}\n{"error":{"kind":"conflict","message":"It does not run","hint":""}}\n',
    )
    expect((await call('POST', '/system/base-image')).status).toBe(404)
  })

  it('feeds lines until the caller leaves, and tells the source', async () => {
    const left = Promise.withResolvers<void>()
    const { call } = await startApiServer([
      fake(Events, {
        async *subscribe({ since, signal } = {}): AsyncIterable<EngineEvent> {
          const Actor = { ID: String(since), Attributes: {} }
          yield {
            Type: 'app',
            Action: 'create',
            Actor,
            scope: 'local',
            time: 1,
            timeNano: 1_700_000_000_123_456_789n,
          }
          await new Promise<void>((resolve) => signal?.addEventListener('abort', () => resolve()))
          left.resolve()
        },
      }),
      fake(Deploys, {
        // biome-ignore lint/correctness/useYield: it fails before the first line
        async *output(id) {
          throw notFound(`There is no deploy ${id}`)
        },
      }),
      fake(AppLogs, {
        async *read(_app, { tail, process } = {}) {
          yield { stream: 1, time: 't', process: process ?? '', data: Buffer.from(`last ${tail} ü\n`) }
        },
      }),
    ])
    const response = await call('GET', '/system/events?since=5')
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
    const first = (await reader.read()).value
    expect(first).toContain('"ID":"5000000000"')
    expect(first).toContain('"timeNano":1700000000123456789')
    await reader.cancel()
    await left.promise
    expect((await call('GET', '/deploys/d1/output')).status).toBe(404)
    expect(await (await call('GET', '/apps/blog/logs?tail=2&process=web.1')).json()).toEqual({
      stream: 1,
      time: 't',
      process: 'web.1',
      data: 'last 2 ü\n',
    })
  })

  it('describes the system, and merges what plugins keep on disk', async () => {
    const report = {
      name: 'http',
      version: '1.0.0',
      state: 'started',
      provides: [],
      requires: [],
      startMs: 3,
    }
    const { call, plugin } = await startApiServer(
      [
        fake(Scheduler, {
          describe: async () => ({ driver: 'process', isolated: false, warning: 'not isolated' }),
        }),
        fake(Router, { listeners: async () => [{ protocol: 'http', host: '127.0.0.1', port: 8080 }] }),
        fake(SshKeys, { address: async () => undefined }),
        fake(Domains, { global: async () => ['example.com'] }),
        fake(Ledger, { entries: async () => [{ kind: 'blob', id: 'b', bytes: 3, pinnedBy: [] }] }),
      ],
      { plugins: () => [report] },
    )
    expect(await (await call('GET', '/system')).json()).toMatchObject({
      version: '0.1.0',
      driver: 'process',
      warning: 'not isolated',
      edge: [{ protocol: 'http', host: '127.0.0.1', port: 8080 }],
      domains: ['example.com'],
      api: expect.arrayContaining([expect.stringMatching(/^unix:/)]),
    })
    expect(await (await call('GET', '/system/plugins')).json()).toEqual([report])
    plugin.on(diskLedger, (entries) => [
      ...entries,
      { kind: 'repository', id: 'blog', bytes: 5, pinnedBy: ['app blog'] },
    ])
    expect(await (await call('GET', '/system/ledger')).json()).toHaveLength(2)
  })

  it('counts apps for the metrics', async () => {
    const { url, token } = await startApiServer([fake(Apps, { list: async () => [blog] })])
    const text = await (
      await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${token}` } })
    ).text()
    expect(text).toContain('kernel_apps{state="running"} 1')
    expect(text).toContain('kernel_app_processes{app="blog",type="web"} 2')
  })

  it('is described by OpenAPI, from which the reference in docs is made', async () => {
    const { call } = await startApiServer()
    const document = (await (await call('GET', '/openapi.json')).json()) as ReturnType<typeof describeApi>
    const described = Object.entries(document.paths ?? {}).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    )
    expect(described.sort()).toEqual(
      Object.values(apiRoutes)
        .map(({ method, path }) => `${method} /api/v1${path}`)
        .sort(),
    )
    const file = readFileSync(new URL('../../../../docs/reference/api.md', import.meta.url), 'utf8')
    expect(file).toBe(renderReference(describeApi() as never))
  })
})
