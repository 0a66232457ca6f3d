/** What every Router promises, told by its table alone; traffic is the implementation's own test. @module */
import assert from 'node:assert/strict'
import type { Route, Router } from '../routes.ts'
import { casesOf, type Subject, type SuiteCase } from './suite.ts'

const route = (host: string, port: number, change: Partial<Route> = {}): Route => ({
  host,
  path: '',
  state: 'up',
  targets: [{ id: `${host}:${port}`, host: '127.0.0.1', port }],
  ...change,
})

export function routerSuite(make: () => Promise<Subject<Router>>): SuiteCase[] {
  return casesOf(make, {
    async 'replaces all routes of an app in one step'(router) {
      const first = await router.publish('one', [route('a.test', 1), route('b.test', 1)])
      const second = await router.publish('one', [route('c.test', 2)])
      assert.ok(second.generation > first.generation)
      assert.deepEqual(
        (await router.list()).map((r) => [r.app, r.host]),
        [['one', 'c.test']],
      )
    },
    async 'keeps the routes of other apps'(router) {
      await router.publish('one', [route('a.test', 1)])
      await router.publish('two', [route('b.test', 1)])
      await router.withdraw('one')
      assert.deepEqual(
        (await router.list()).map((r) => r.app),
        ['two'],
      )
      await router.withdraw('one')
    },
    async 'gives a host and path to one app only'(router) {
      await router.publish('one', [route('a.test', 1)])
      await assert.rejects(router.publish('two', [route('a.test', 2)]), { kind: 'conflict', message: /one/ })
      await router.publish('two', [route('a.test', 2, { path: '/two' })])
      assert.equal((await router.list()).length, 2)
    },
    async 'drains at once what nobody uses'(router) {
      await router.publish('one', [route('a.test', 1)])
      assert.deepEqual(await router.drain(['a.test:1', 'unknown'], 30), { open: 0 })
    },
    async 'takes policies, pages and challenges, and takes them back'(router) {
      await router.publish('one', [route('a.test', 1)])
      await router.setPolicy('one', {
        maintenance: true,
        hsts: 'max-age=60',
        redirects: [{ host: 'b.test', to: 'https://a.test', status: 301, keepPath: true }],
        rateLimit: { perSecond: 5, burst: 10 },
        compress: ['zstd', 'br', 'gzip'],
        maxBodyBytes: 1024,
        pages: { maintenance: '<h1>Back soon</h1>' },
      })
      await router.setDefaultPages({ '404': '<h1>Nobody here</h1>' })
      await router.setChallenges([{ type: 'http-01', host: 'a.test', token: 't', keyAuthorization: 't.k' }])
      await router.setChallenges([])
      await router.setDefaultPages({})
      await router.setPolicy('one', {})
      await router.setPolicy('unknown', {})
      await router.setCertificates([])
      assert.equal((await router.list()).length, 1)
    },
  })
}
