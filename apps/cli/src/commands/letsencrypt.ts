/** letsencrypt:* */
import type { AcmeReport, DeployLine } from '@kernel/contracts'
import { type CommandSpec, type Invocation, text } from '../command.ts'
import { globalFlag, scoped } from './scope.ts'

const app = (call: Invocation) => ({ app: text(call, 'app') })

export const letsencryptCommands: CommandSpec[] = [
  {
    name: 'letsencrypt:enable',
    args: '<app>',
    summary: 'Get a certificate for the domains of an app, and keep it renewed',
    description:
      'By ACME, from Let’s Encrypt where nothing else is set; whoever asks agrees to the terms of the server. The names must lead to this machine from the internet. It is renewed when a third of its lifetime is left.',
    examples: ['letsencrypt:enable blog'],
    async run(call) {
      const report = await call.client.operate<DeployLine, AcmeReport>(
        'acmeEnable',
        { params: app(call), signal: call.signal },
        (line) => call.out.deploy(line),
      )
      if (call.out.json) call.out.line(JSON.stringify(report))
    },
  },
  {
    name: 'letsencrypt:disable',
    args: '<app>',
    summary: 'Renew it no more; the certificate stays',
    examples: ['letsencrypt:disable blog'],
    run: (call) => call.client.send('acmeDisable', { params: app(call) }),
  },
  {
    name: 'letsencrypt:list',
    summary: 'List certificates by ACME, when they are renewed, and what failed',
    examples: ['letsencrypt:list'],
    async run({ client, out }) {
      const reports = await client.json<AcmeReport[]>('acmeList')
      out.value(reports, () => {
        const day = (time: string | undefined) => time?.slice(0, 16).replace('T', ' ')
        out.table(
          ['App', 'Renewed', 'Server', 'Challenge', 'Valid until', 'Renewal', 'Failures'],
          reports.map((report) => [
            report.app,
            report.enabled ? 'yes' : 'no',
            report.server,
            report.challenge,
            day(report.notAfter),
            day(report.nextAttempt ?? report.renewAfter),
            report.failures,
          ]),
        )
        for (const { app: name, error, nextAttempt } of reports)
          if (error !== undefined)
            out.error(`${name}: ${error}`, nextAttempt && `Tried again at ${nextAttempt}`)
      })
    },
  },
  {
    name: 'letsencrypt:set',
    args: '[app] [key] [value]',
    summary: 'Set email, server or challenge of an app or of all; no value clears it',
    description:
      'server: production or staging (of Let’s Encrypt), or the https:// URL of the directory of another. challenge: http-01 (port 80) or tls-alpn-01 (port 443).',
    options: [globalFlag],
    examples: [
      'letsencrypt:set --global email ann@example.com',
      'letsencrypt:set blog server staging',
      'letsencrypt:set --global challenge tls-alpn-01',
    ],
    async run(call) {
      const { app: name, words } = scoped(call, ['app', 'key', 'value'], 1)
      const [key = '', value = ''] = words
      await call.client.send('acmeSet', { params: { app: name, key }, body: { value } })
    },
  },
  {
    name: 'letsencrypt:auto-renew',
    args: '[app]',
    summary: 'Renew what is due now, of one app or of all',
    description: 'The daemon does so twice a day by itself.',
    examples: ['letsencrypt:auto-renew', 'letsencrypt:auto-renew blog'],
    async run(call) {
      const body = typeof call.args.app === 'string' ? { app: call.args.app } : {}
      const reports = await call.client.operate<DeployLine, AcmeReport[]>(
        'acmeRenew',
        { body, signal: call.signal },
        (line) => call.out.deploy(line),
      )
      if (call.out.json) call.out.line(JSON.stringify(reports))
    },
  },
  {
    name: 'letsencrypt:revoke',
    args: '<app>',
    summary: 'Revoke the certificate, remove it, and renew it no more',
    examples: ['letsencrypt:revoke blog'],
    run: (call) => call.client.send('acmeRevoke', { params: app(call) }),
  },
]
