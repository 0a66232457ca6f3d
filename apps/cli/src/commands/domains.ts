/** domains:* */
import type { AppSummary } from '@kernel/contracts'
import { type CommandSpec, type Invocation, list, text } from '../command.ts'

const app = (call: Invocation) => ({ app: text(call, 'app') })

export const domainsCommands: CommandSpec[] = [
  {
    name: 'domains:report',
    args: '[app]',
    summary: 'Show the domains of an app, or of every app and the global ones',
    examples: ['domains:report', 'domains:report blog'],
    async run({ args, client, out }) {
      const apps = args.app
        ? [String(args.app)]
        : (await client.json<AppSummary[]>('appsList')).map((a) => a.name)
      const reports = await Promise.all(
        apps.map(async (name) => ({
          app: name,
          ...(await client.json<{ domains: string[]; urls: string[] }>('domainsReport', {
            params: { app: name },
          })),
        })),
      )
      const global = await client.json<string[]>('domainsGlobal')
      out.value(args.app ? reports[0] : { global, apps: reports }, () => {
        if (!args.app) out.report('Global domains information', { Domains: global.join(' ') })
        for (const report of reports)
          out.report(`${report.app} domains information`, {
            Domains: report.domains.join(' '),
            URLs: report.urls.join(' '),
          })
      })
    },
  },
  {
    name: 'domains:add',
    args: '<app> <domains...>',
    summary: 'Route more domains to an app',
    examples: ['domains:add blog example.com www.example.com', "domains:add shop '*.shop.example.com'"],
    run: (call) =>
      call.client.send('domainsAdd', { params: app(call), body: { domains: list(call, 'domains') } }),
  },
  {
    name: 'domains:remove',
    args: '<app> <domains...>',
    summary: 'Route them to it no longer',
    examples: ['domains:remove blog www.example.com'],
    run: (call) =>
      call.client.send('domainsRemove', { params: app(call), query: { domain: list(call, 'domains') } }),
  },
  {
    name: 'domains:set',
    args: '<app> <domains...>',
    summary: "Replace an app's domains",
    examples: ['domains:set blog example.com'],
    run: (call) =>
      call.client.send('domainsSet', { params: app(call), body: { domains: list(call, 'domains') } }),
  },
  {
    name: 'domains:reset',
    args: '<app>',
    summary: 'Back to the app at the global domains',
    examples: ['domains:reset blog'],
    run: (call) => call.client.send('domainsSet', { params: app(call), body: { domains: [] } }),
  },
  {
    name: 'domains:set-global',
    args: '<domains...>',
    summary: 'Set the domains under which every app is found as APP.DOMAIN',
    examples: ['domains:set-global apps.example.com'],
    run: (call) => call.client.send('domainsSetGlobal', { body: { domains: list(call, 'domains') } }),
  },
]
