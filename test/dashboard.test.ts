import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findProgram, lacks, lacksContainers } from './harness/host.ts'
import { output } from './harness/product.ts'
import { Repository } from './harness/repository.ts'
import { nodeApp } from './harness/sources.ts'
import { eventually } from './harness/until.ts'
import { useDaemon } from './harness/use-daemon.ts'
import { fetchPage } from './harness/visitor.ts'

const flags = [
  '--no-sandbox',
  '--disable-dev-shm-usage',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
  '--disable-quic',
]

describe.skipIf(lacksContainers('the dashboard') || lacks('the dashboard in a browser', 'chromium'))(
  'the dashboard',
  () => {
    const lab = useDaemon()
    let browser: Browser
    let page: Page
    let repository: Repository
    const faults: string[] = []

    beforeAll(async () => {
      repository = await Repository.create(lab.daemon, 'shop', nodeApp('one'))
      await repository.deploy()
      browser = await chromium.launch({ executablePath: findProgram('chromium'), args: flags })
      page = await browser.newPage({ viewport: { width: 1100, height: 800 } })
      page.on('pageerror', (error) => faults.push(error.message))
      mkdirSync(output, { recursive: true })
    })
    afterAll(() => browser?.close())

    const home = () => `http://127.0.0.1:${lab.daemon.ports.api}/`
    const row = (text: string) => page.getByRole('row').filter({ hasText: text })

    it('lets nobody in without a token', async () => {
      await page.goto(home())
      await page.getByLabel('Token').fill('made-up')
      await page.getByRole('button', { name: 'Sign in' }).click()
      await page.getByRole('alert').waitFor()
      expect(await page.getByRole('alert').textContent()).toContain('not known here')
      expect(await page.getByText('shop').count()).toBe(0)
    })

    it('shows the apps with state, release and URL', async () => {
      const token = (await lab.daemon.kernel(['tokens:create', 'browser'])).stdout.trim()
      await page.getByLabel('Token').fill(token)
      await page.getByRole('button', { name: 'Sign in' }).click()
      await row('shop').waitFor()
      expect(await row('shop').textContent()).toMatch(/shop.*running.*v1.*web 1.*http:\/\/shop\.e2e\.test/)
      expect(await row('shop').getByRole('link', { name: 'http://shop' }).getAttribute('href')).toBe(
        lab.daemon.url('shop').slice(0, -1),
      )
      await page.screenshot({ path: join(output, 'apps.png') })
      expect((await page.context().cookies()).map(({ httpOnly, sameSite }) => [httpOnly, sameSite])).toEqual([
        [true, 'Strict'],
      ])
    })

    it('shows a push while it runs, line by line', async () => {
      await page.getByRole('link', { name: 'shop', exact: true }).click()
      await page.getByRole('heading', { name: 'shop running' }).waitFor()
      await repository.commit({
        ...nodeApp('two'),
        Dockerfile:
          'FROM kernel/base:latest\nCOPY . /app\nRUN echo half-way; sleep 3\nCMD ["node", "/app/server.js"]\n',
      })
      const pushed = repository.deploy()
      await page.getByRole('heading', { name: 'Log live' }).waitFor()
      await page.getByText('half-way', { exact: true }).waitFor()
      await page.getByRole('heading', { name: 'shop deploying' }).waitFor()
      await page.screenshot({ path: join(output, 'push.png'), fullPage: true })
      // The line was there before the push had come to its end.
      expect(await page.locator('pre.log').textContent()).not.toContain('Application deployed')
      await pushed
      await eventually(async () =>
        expect(await page.locator('pre.log').textContent()).toContain('=====> Application deployed:'),
      )
      await page.getByRole('heading', { name: 'shop running' }).waitFor()
      expect((await fetchPage(lab.daemon.url('shop'))).body).toBe('two')
      expect(await row('current').textContent()).toMatch(/^v2/)
    })

    it('rolls back at the push of a button', async () => {
      await row('v1')
        .getByRole('button', { name: /^Roll back/ })
        .click()
      await eventually(async () => expect(await row('current').textContent()).toMatch(/^v3/))
      expect((await fetchPage(lab.daemon.url('shop'))).body).toBe('one')
      await page.screenshot({ path: join(output, 'rolled-back.png'), fullPage: true })
    })

    it('finds its way by address, and forgets who signed out', async () => {
      await page.goto(`${home()}apps/shop`)
      await page.getByRole('heading', { name: 'shop running' }).waitFor()
      await page.getByRole('button', { name: 'Sign out' }).click()
      await page.getByLabel('Token').waitFor()
      await page.reload()
      await page.getByLabel('Token').waitFor()
      expect(faults).toEqual([])
    })
  },
)
