import { scryptSync } from 'node:crypto'
import { postAppRename, postCreate, postDelete, preAppRename, sitePolicy } from '@kernel/contracts'
import { definePlugin } from '@kernel/kernel'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Lab, openLab } from '../testing/lab.ts'

let lab: Lab
beforeEach(async () => {
  lab = await openLab()
})
afterEach(() => lab.close())

const policy = (app = 'shop') => lab.edge.policies.get(app)
const set = (key: string, value: string) => lab.sites.set('shop', key, value)

describe('what an owner sets', () => {
  it('is in force at once, and again after a restart', async () => {
    await lab.sites.setMaintenance('shop', true)
    await set('rate-limit', '50/s burst 100')
    await set('compress', 'on')
    await set('max-body', '10m')
    await set('hsts', 'on')
    await lab.sites.setRedirect('shop', { host: 'WWW.example.com', to: 'https://example.com', status: 301 })
    await lab.sites.setPage('shop', '502', '<h1>Soon</h1>')
    await lab.sites.setPage('global', '404', '<h1>Nobody</h1>')
    const expected = {
      maintenance: true,
      rateLimit: { perSecond: 50, burst: 100 },
      compress: ['zstd', 'br', 'gzip'],
      maxBodyBytes: 10 * 1024 * 1024,
      hsts: 'max-age=31536000',
      redirects: [{ host: 'www.example.com', to: 'https://example.com', status: 301, keepPath: true }],
      pages: { '502': '<h1>Soon</h1>' },
    }
    expect(policy()).toEqual(expected)
    await lab.restart()
    expect(policy()).toEqual(expected)
    expect(lab.edge.pages).toEqual({ '404': '<h1>Nobody</h1>' })
    expect(policy('blog')).toBeUndefined()
  })

  it('goes away by itself, and by off or nothing', async () => {
    for (const [key, value] of [
      ['rate-limit', '5/s'],
      ['compress', 'br'],
      ['max-body', '1k'],
      ['hsts', 'max-age=5'],
    ] as const) {
      for (const nothing of ['off', '']) {
        await set(key, value)
        expect(policy()).not.toEqual({})
        await set(key, nothing)
        expect(policy()).toEqual({})
      }
    }
    await lab.sites.setMaintenance('shop', true)
    await lab.sites.setMaintenance('shop', false)
    await lab.sites.setPage('shop', '404', 'x')
    await lab.sites.setPage('shop', '404')
    await lab.sites.setRedirect('shop', { path: '/a', to: '/b', status: 302 })
    await lab.sites.removeRedirect('shop', '/a')
    expect(policy()).toEqual({})
  })

  it('is refused for an app that is not there, and by a key or page that is not', async () => {
    await expect(lab.sites.setMaintenance('none', true)).rejects.toMatchObject({ kind: 'not-found' })
    await expect(set('speed', 'high')).rejects.toMatchObject({ kind: 'invalid', hint: /rate-limit/ })
    await expect(set('toString', 'x')).rejects.toMatchObject({ kind: 'invalid' })
    await expect(lab.sites.setPage('shop', '418', 'x')).rejects.toMatchObject({ kind: 'invalid' })
    await expect(lab.sites.setPage('shop', '404')).rejects.toMatchObject({ kind: 'not-found' })
    await expect(lab.sites.removeRedirect('shop', '/a')).rejects.toMatchObject({ kind: 'not-found' })
  })

  it('stays as it was where the edge refuses', async () => {
    await set('hsts', 'on')
    lab.edge.failNext.set('setPolicy', new Error('no room'))
    await expect(set('hsts', 'off')).rejects.toThrow('no room')
    expect(policy()).toEqual({ hsts: 'max-age=31536000' })
    expect((await lab.sites.report('shop')).hsts).toBe('max-age=31536000')
  })

  it('loses nothing where changes come side by side', async () => {
    const paths = Array.from({ length: 20 }, (_, n) => `/${n}`)
    await Promise.all(paths.map((path) => lab.sites.setRedirect('shop', { path, to: '/', status: 302 })))
    expect(policy()?.redirects?.map(({ path }) => path)).toEqual(paths)
  })

  it('replaces a redirect from the same place', async () => {
    await lab.sites.setRedirect('shop', { host: 'a.example', path: '/x', to: '/1', status: 301 })
    await lab.sites.setRedirect('shop', { host: 'a.example', to: '/2', status: 301 })
    await lab.sites.setRedirect('shop', {
      host: 'A.example',
      path: '/x',
      to: '/3',
      status: 308,
      keepPath: false,
    })
    expect(policy()?.redirects).toEqual([
      { host: 'a.example', path: '/x', to: '/3', status: 308, keepPath: false },
      { host: 'a.example', to: '/2', status: 301, keepPath: true },
    ])
    await lab.sites.removeRedirect('shop', 'a.example/x')
    expect(policy()?.redirects).toHaveLength(1)
  })

  it('is reported, of passwords the names alone', async () => {
    await lab.sites.setUser('shop', 'zoe', 'secret')
    await lab.sites.setUser('shop', 'ann', 'secret')
    const report = await lab.sites.report('shop')
    expect(report).toEqual({
      app: 'shop',
      maintenance: false,
      httpsRedirect: { setting: 'auto', active: false },
      redirects: [],
      auth: { enabled: false, users: ['ann', 'zoe'] },
      compress: [],
      pages: [],
    })
  })
})

describe('passwords', () => {
  it('are kept as hashes that the edge can check', async () => {
    await lab.sites.setUser('shop', 'ann', 'pässword')
    expect(policy()).toEqual({})
    await lab.sites.setAuth('shop', true)
    const { realm, users } = policy()!.basicAuth!
    expect(realm).toBe('shop')
    const [scheme, N, r, p, salt, hash] = users.ann!.split('$')
    const computed = scryptSync('pässword', Buffer.from(salt!, 'base64'), 32, {
      N: Number(N),
      r: Number(r),
      p: Number(p),
    })
    expect([scheme, hash]).toEqual(['scrypt', computed.toString('base64')])
  })

  it('are asked for only where somebody could come in', async () => {
    await expect(lab.sites.setAuth('shop', true)).rejects.toMatchObject({
      kind: 'conflict',
      hint: /http-auth:add-user/,
    })
    await lab.sites.setUser('shop', 'ann', 'x')
    await lab.sites.setAuth('shop', true)
    await expect(lab.sites.removeUser('shop', 'ann')).rejects.toMatchObject({ kind: 'conflict' })
    await lab.sites.setUser('shop', 'bob', 'y')
    await lab.sites.removeUser('shop', 'ann')
    expect(Object.keys(policy()!.basicAuth!.users)).toEqual(['bob'])
    await expect(lab.sites.removeUser('shop', 'ann')).rejects.toMatchObject({ kind: 'not-found' })
    await lab.sites.setAuth('shop', false)
    await lab.sites.removeUser('shop', 'bob')
    expect(policy()).toEqual({})
  })

  it.each([
    ['a:b', 'x'],
    ['', 'x'],
    ['a b', 'x'],
    ['__proto__', 'x'],
    ['ann', ''],
    ['ann', 'x'.repeat(300)],
    ['ann', 'line\nend'],
  ])('of %j are refused where they can not be typed', async (user, password) => {
    await expect(lab.sites.setUser('shop', user, password)).rejects.toMatchObject({ kind: 'invalid' })
  })
})

describe('https', () => {
  it('is led to by itself where the app has a certificate for all of its domains', async () => {
    await lab.certificates.generate('blog', ['blog.example.com'])
    expect(policy('blog')).toEqual({})
    await lab.certificates.generate('blog', [])
    expect(policy('blog')).toEqual({ httpsRedirect: { port: 8443 } })
    expect((await lab.sites.report('blog')).httpsRedirect).toEqual({ setting: 'auto', active: true })
    await lab.sites.set('blog', 'https-redirect', 'off')
    expect(policy('blog')).toEqual({})
    await lab.sites.set('blog', 'https-redirect', 'auto')
    expect(policy('blog')).toEqual({ httpsRedirect: { port: 8443 } })
    await lab.certificates.remove('blog')
    expect(policy('blog')).toEqual({})
    await lab.sites.set('blog', 'https-redirect', 'on')
    expect(policy('blog')).toEqual({ httpsRedirect: { port: 8443 } })
  })

  it('is not where the edge does not listen for it, and is at the port that is told', async () => {
    lab.edge.address = [{ protocol: 'http', host: '0.0.0.0', port: 80 }]
    await set('https-redirect', 'on')
    expect(policy()).toEqual({})
    await lab.close()
    lab = await openLab({ httpsPort: 443 })
    await set('https-redirect', 'on')
    expect(policy()).toEqual({ httpsRedirect: { port: 443 } })
  })
})

describe('an app', () => {
  beforeEach(async () => {
    await lab.sites.setUser('shop', 'ann', 'x')
    await lab.sites.setAuth('shop', true)
    await lab.certificates.generate('shop', [])
  })

  it('that moves asks for passwords under its new name before anybody can visit it', async () => {
    const { call } = lab.kernel
    const before = policy()!
    await call(preAppRename, { oldApp: 'shop', app: 'store' })
    expect(policy('store')).toMatchObject({ basicAuth: { users: before.basicAuth!.users } })
    lab.apps.set('store', ['store.example.com', 'shop.example.com'])
    lab.apps.delete('shop')
    await call(postAppRename, { oldApp: 'shop', app: 'store' })
    expect(policy('shop')).toEqual({})
    expect(policy('store')?.basicAuth).toBeDefined()
    expect((await lab.certificates.list()).map(({ app }) => app)).toEqual(['store'])
    expect(lab.edge.certificates.map(({ hosts }) => hosts)).toEqual([['shop.example.com']])
  })

  it('whose move was cut off keeps its passwords, under either name', async () => {
    await lab.kernel.call(preAppRename, { oldApp: 'shop', app: 'store' })
    await lab.restart()
    expect(policy('shop')?.basicAuth).toBeDefined()
    expect(policy('store')).toBeUndefined()
    await lab.kernel.call(preAppRename, { oldApp: 'shop', app: 'store' })
    lab.apps.set('store', ['shop.example.com'])
    lab.apps.delete('shop')
    await lab.restart()
    expect(policy('store')?.basicAuth).toBeDefined()
    expect(lab.edge.certificates).toHaveLength(1)
  })

  it('that ends leaves nothing, and a new one of its name inherits nothing', async () => {
    await lab.kernel.call(postDelete, { app: 'shop' })
    expect(policy('shop')).toEqual({})
    expect(lab.edge.certificates).toEqual([])
    await lab.sites.setMaintenance('shop', true)
    await lab.kernel.call(postCreate, { app: 'shop' })
    expect(policy('shop')).toEqual({})
  })
})

it('is what other plugins make of it', async () => {
  const seen: string[] = []
  const headers = definePlugin({
    name: 'headers',
    version: '1.0.0',
    kernel: '^1',
    setup(ctx) {
      ctx.on(sitePolicy, (policy, { app }) => {
        seen.push(app)
        return { ...policy, hsts: 'max-age=1' }
      })
    },
  })
  await lab.close()
  lab = await openLab({}, [headers])
  await set('compress', 'br')
  expect(policy()).toEqual({ compress: ['br'], hsts: 'max-age=1' })
  expect(seen).toEqual(['shop'])
})
