import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { startTestServer } from '../testing/start-server.ts'

function makeWebRoot(): string {
  const root = mkdtempSync(join(tmpdir(), 'kernel-web-'))
  onTestFinished(() => rmSync(root, { recursive: true }))
  mkdirSync(join(root, 'assets'))
  writeFileSync(join(root, 'index.html'), '<!doctype html>dashboard')
  writeFileSync(join(root, 'assets/app-1a2b.js'), 'go()')
  return root
}

it('serves the dashboard to everybody, beside the API at the same paths', async () => {
  const { server, url } = await startTestServer({ webRoot: makeWebRoot() })
  server.mount('/', () => new Response('api'), { auth: 'handler' })
  const get = (path: string, headers: Record<string, string> = {}) => fetch(url + path, { headers })
  const index = await get('/')
  expect(await index.text()).toBe('<!doctype html>dashboard')
  expect(index.headers.get('content-security-policy')).toContain("default-src 'self'")
  expect(index.headers.get('cache-control')).toBe('no-cache')
  const script = await get('/assets/app-1a2b.js')
  expect(script.headers.get('content-type')).toContain('text/javascript')
  expect(script.headers.get('cache-control')).toContain('immutable')
  const again = await get('/assets/app-1a2b.js', { 'if-none-match': script.headers.get('etag')! })
  expect([again.status, await again.text()]).toEqual([304, ''])
  // A browser that goes to a page of the dashboard, and a Docker client that asks the same path.
  expect(await (await get('/networks', { accept: 'text/html,*/*' })).text()).toContain('dashboard')
  expect(await (await get('/networks')).text()).toBe('api')
  expect(await (await get('/assets/%2e%2e/%2e%2e/etc/passwd')).text()).toBe('api')
})

it('warns where there is no dashboard', async () => {
  const { log } = await startTestServer({ webRoot: '/nonexistent' })
  expect(log.entries.map(({ message }) => message)).toContain('There is no dashboard in /nonexistent')
})
