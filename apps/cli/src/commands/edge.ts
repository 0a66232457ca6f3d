/** edge:*, redirect:* */
import { invalid, type SiteRedirect, type SiteReport } from '@kernel/contracts'
import { type CommandSpec, type Invocation, list, option, text } from '../command.ts'
import { appsNamed } from './scope.ts'

const app = (call: Invocation) => ({ app: text(call, 'app') })

export const edgeCommands: CommandSpec[] = [
  {
    name: 'edge:set',
    args: '<app> <key> [value...]',
    summary: 'Set rate-limit, compress, max-body, hsts or https-redirect; no value: the default',
    description: `rate-limit: requests of one address, such as 50/s, "50/s burst 100" or 600/m; more is answered 429.
compress: on, off, or some of zstd,br,gzip, the preferred first: for answers that the app did not encode.
max-body: of a request, such as 10m; more is answered 413.
hsts: on (a year), off, or the value of Strict-Transport-Security.
https-redirect: auto (where there are certificates for all of the app's domains), on, off.`,
    examples: [
      'edge:set blog rate-limit 50/s burst 100',
      'edge:set blog compress on',
      "edge:set blog hsts 'max-age=63072000; includeSubDomains'",
      'edge:set blog max-body',
    ],
    run: (call) =>
      call.client.send('siteSet', {
        params: { ...app(call), key: text(call, 'key') },
        body: { value: list(call, 'value').join(' ') },
      }),
  },
  {
    name: 'edge:report',
    args: '[app]',
    summary: 'Show what the edge does for an app beside forwarding',
    examples: ['edge:report', 'edge:report blog --format json'],
    async run(call) {
      const reports = await reportsOf(call)
      call.out.value(call.args.app ? reports[0] : reports, () => {
        for (const report of reports) print(call, report)
      })
    },
  },
  {
    name: 'redirect:set',
    args: '<app> <from> <to>',
    summary: 'Redirect a host or a path to a URL, with what follows in the path',
    description:
      'from: HOST, /PATH or HOST/PATH; a host has to be a domain of the app. to: a URL, or a path on the same host. One from the same place is replaced.',
    options: [
      ['--code <code>', '301 (for ever), 302, 307 or 308 (301)'],
      ['--no-keep-path', 'always to exactly this URL'],
    ],
    examples: [
      'redirect:set blog www.example.com https://example.com',
      'redirect:set blog /old /new --code 302',
      'redirect:set blog example.com/feed https://feeds.example.com/blog --no-keep-path',
    ],
    async run(call) {
      const [from, status] = [text(call, 'from'), Number(option(call, 'code') ?? 301)]
      if (![301, 302, 307, 308].includes(status))
        throw invalid(`${option(call, 'code')} is no code of a redirect.`, {
          hint: 'Give 301, 302, 307 or 308.',
        })
      const slash = from.indexOf('/')
      const [host, path] = slash < 0 ? [from, ''] : [from.slice(0, slash), from.slice(slash)]
      const body: SiteRedirect = {
        ...(host && { host }),
        ...(path && { path }),
        to: text(call, 'to'),
        status: status as SiteRedirect['status'],
        keepPath: call.options.keepPath !== false,
      }
      await call.client.send('redirectsSet', { params: app(call), body })
    },
  },
  {
    name: 'redirect:unset',
    args: '<app> <from>',
    summary: 'Redirect it no longer',
    examples: ['redirect:unset blog www.example.com'],
    run: (call) =>
      call.client.send('redirectsRemove', { params: app(call), query: { from: text(call, 'from') } }),
  },
  {
    name: 'redirect:report',
    args: '[app]',
    summary: 'Show the redirects of an app, or of all',
    examples: ['redirect:report blog'],
    async run(call) {
      const reports = (await reportsOf(call)).map(({ app: name, redirects }) => ({ app: name, redirects }))
      call.out.value(call.args.app ? reports[0] : reports, () =>
        call.out.table(
          ['App', 'From', 'To', 'Code', 'Keeps path'],
          reports.flatMap(({ app: name, redirects }) =>
            redirects.map((rule) => [
              name,
              fromOf(rule),
              rule.to,
              rule.status,
              rule.keepPath === false ? 'no' : 'yes',
            ]),
          ),
        ),
      )
    },
  },
]

/** As it can be set: `10m`. */
function sizeOf(count: number): string {
  const step = ['', 'k', 'm', 'g'].findLastIndex((_, n) => count % 1024 ** n === 0)
  return `${count / 1024 ** step}${['', 'k', 'm', 'g'][step]}`
}

const fromOf = ({ host = '', path = '' }: SiteRedirect) => host + path || '(everything)'

async function reportsOf(call: Invocation): Promise<SiteReport[]> {
  return Promise.all(
    (await appsNamed(call)).map((name) =>
      call.client.json<SiteReport>('siteReport', { params: { app: name } }),
    ),
  )
}

function print({ out }: Invocation, report: SiteReport): void {
  const { rateLimit, httpsRedirect, auth } = report
  out.report(`${report.app} edge information`, {
    Maintenance: report.maintenance,
    'HTTPS redirect': `${httpsRedirect.setting} (${httpsRedirect.active ? 'active' : 'not active'})`,
    HSTS: report.hsts ?? 'off',
    Redirects: report.redirects.length,
    'HTTP auth': auth.enabled ? auth.users.join(' ') : 'off',
    'Rate limit': rateLimit
      ? `${Number(rateLimit.perSecond.toPrecision(4))}/s burst ${rateLimit.burst}`
      : 'off',
    Compress: report.compress.join(',') || 'off',
    'Max body': report.maxBodyBytes === undefined ? 'off' : sizeOf(report.maxBodyBytes),
    Pages: report.pages.join(' '),
  })
}
