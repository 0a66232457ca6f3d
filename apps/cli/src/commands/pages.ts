/** maintenance:*, pages:* */
import type { EdgePage, SiteReport } from '@kernel/contracts'
import { type CommandSpec, type Invocation, text } from '../command.ts'
import { bytes } from '../output/format.ts'
import { appsNamed, globalFlag, scoped } from './scope.ts'
import { readInput } from './text-input.ts'

const app = (call: Invocation) => ({ app: text(call, 'app') })
const html = async (call: Invocation, file: unknown) =>
  (await readInput(call, file, { what: 'page', longest: 256 * 1024 })).toString('utf8')

export const pagesCommands: CommandSpec[] = [
  {
    name: 'maintenance:enable',
    args: '<app>',
    summary: 'Answer all visitors with the maintenance page (503)',
    description: 'Requests under way end as they would. The app goes on running, and can be deployed.',
    examples: ['maintenance:enable blog'],
    run: (call) => call.client.send('maintenanceEnable', { params: app(call) }),
  },
  {
    name: 'maintenance:disable',
    args: '<app>',
    summary: 'Let visitors in again',
    examples: ['maintenance:disable blog'],
    run: (call) => call.client.send('maintenanceDisable', { params: app(call) }),
  },
  {
    name: 'maintenance:report',
    args: '[app]',
    summary: 'Show which apps are in maintenance',
    examples: ['maintenance:report', 'maintenance:report blog'],
    async run(call) {
      const reports = await Promise.all(
        (await appsNamed(call)).map(async (name) => {
          const { maintenance, pages } = await call.client.json<SiteReport>('siteReport', {
            params: { app: name },
          })
          return { app: name, maintenance, customPage: pages.includes('maintenance') }
        }),
      )
      call.out.value(call.args.app ? reports[0] : reports, () => {
        for (const { app: name, maintenance, customPage } of reports)
          call.out.report(`${name} maintenance information`, {
            Enabled: maintenance,
            'Page of its own': customPage,
          })
      })
    },
  },
  {
    name: 'maintenance:custom-page',
    args: '<app> [file]',
    summary: 'Set the maintenance page, from an HTML file or standard input',
    examples: ['maintenance:custom-page blog back-soon.html'],
    async run(call) {
      const body = { html: await html(call, call.args.file) }
      await call.client.send('pagesSet', { params: { ...app(call), page: 'maintenance' }, body })
    },
  },
  {
    name: 'pages:set',
    args: '[app] [page] [file]',
    summary: 'Set the page for 404, 502, 503, 504 or maintenance, from an HTML file or standard input',
    description:
      'With --global: for apps without their own, and for hosts that no app has (404). One file of HTML, at most 64 KiB.',
    options: [globalFlag],
    examples: ['pages:set blog 502 sorry.html', 'pages:set --global 404 nobody.html'],
    async run(call) {
      const { app: name, words } = scoped(call, ['app', 'page', 'file'], 1)
      const [page = '', file] = words
      await call.client.send('pagesSet', {
        params: { app: name, page },
        body: { html: await html(call, file) },
      })
    },
  },
  {
    name: 'pages:clear',
    args: '[app] [page]',
    summary: 'Back to the built-in page',
    options: [globalFlag],
    examples: ['pages:clear blog 502', 'pages:clear --global 404'],
    async run(call) {
      const { app: name, words } = scoped(call, ['app', 'page'], 1)
      await call.client.send('pagesClear', { params: { app: name, page: words[0] ?? '' } })
    },
  },
  {
    name: 'pages:report',
    args: '[app]',
    summary: 'Show which pages are set, of an app or of all together',
    options: [globalFlag],
    examples: ['pages:report blog', 'pages:report --global --format json'],
    async run(call) {
      const name = typeof call.args.app === 'string' ? call.args.app : 'global'
      const pages = await call.client.json<Partial<Record<EdgePage, string>>>('pagesReport', {
        params: { app: name },
      })
      call.out.value(pages, () => {
        const sizes = Object.entries(pages).map(([page, content]) => [
          page,
          bytes(Buffer.byteLength(content)),
        ])
        call.out.report(`${name} pages`, Object.fromEntries(sizes))
      })
    },
  },
]
