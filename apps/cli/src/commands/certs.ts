/** certs:* */
import { gunzipSync } from 'node:zlib'
import { type CertificateReport, denied, invalid } from '@kernel/contracts'
import { type CommandSpec, type Invocation, list, text } from '../command.ts'
import { readInput } from './text-input.ts'

const app = (call: Invocation) => ({ app: text(call, 'app') })
const limits = { what: 'certificate', longest: 1024 * 1024 }

export const certsCommands: CommandSpec[] = [
  {
    name: 'certs:add',
    args: '<app> [cert] [key]',
    summary: 'Add a certificate and its key, or replace them',
    description:
      'Both are PEM; the chain follows the certificate in the same file. Without files they are read from standard input, one after the other or as a tar archive of server.crt and server.key. New connections get the certificate at once, open ones go on. `global` in place of the app: for all apps without their own.',
    examples: [
      'certs:add blog fullchain.pem privkey.pem',
      'certs:add blog < cert-key.tar',
      'certs:add global wildcard.pem wildcard.key',
    ],
    run: add,
  },
  {
    name: 'certs:update',
    args: '<app> [cert] [key]',
    summary: 'Replace a certificate that is there',
    examples: ['certs:update blog fullchain.pem privkey.pem'],
    async run(call) {
      await call.client.json('certsReport', { params: app(call) })
      await add(call)
    },
  },
  {
    name: 'certs:generate',
    args: '<app> [domains...]',
    summary: 'Make a self-signed certificate, for the domains of the app or those given',
    description: 'Browsers warn of it: for trying TLS, and behind proxies that do not look.',
    examples: ['certs:generate blog', 'certs:generate blog blog.example.com'],
    async run(call) {
      const report = await call.client.json<CertificateReport>('certsGenerate', {
        params: app(call),
        body: { domains: list(call, 'domains') },
      })
      print(call, report)
    },
  },
  {
    name: 'certs:remove',
    args: '<app>',
    summary: 'Remove the certificate and its key',
    examples: ['certs:remove blog'],
    run: (call) => call.client.send('certsRemove', { params: app(call) }),
  },
  {
    name: 'certs:report',
    args: '[app]',
    summary: 'Show the certificate of an app, or of all that have one',
    examples: ['certs:report', 'certs:report blog --format json'],
    async run(call) {
      const reports = call.args.app
        ? [await call.client.json<CertificateReport>('certsReport', { params: app(call) })]
        : await call.client.json<CertificateReport[]>('certsList')
      call.out.value(call.args.app ? reports[0] : reports, () => {
        for (const report of reports) printReport(call, report)
      })
    },
  },
  {
    name: 'certs:show',
    args: '<app> [what]',
    summary: 'Print the certificate and its chain in PEM',
    description: 'The key stays where it is: no command prints it.',
    examples: ['certs:show blog', 'certs:show blog crt > blog.pem'],
    async run(call) {
      const { what = 'crt' } = call.args
      if (what === 'key') throw denied('No command prints a private key.', { hint: 'certs:show APP crt' })
      if (what !== 'crt') throw invalid(`There is no ${what} to show.`, { hint: 'certs:show APP crt' })
      const { certificate } = await call.client.json<CertificateReport>('certsReport', { params: app(call) })
      call.out.value(certificate, () => call.out.raw(certificate))
    },
  },
]

async function add(call: Invocation): Promise<void> {
  const { cert, key } = call.args
  if (cert === '-' && key === '-') throw invalid('Only one of the two can come from standard input.')
  const first = await readInput(call, cert, limits)
  const pems = splitPem(
    key === undefined ? first : Buffer.concat([first, Buffer.from('\n'), await readInput(call, key, limits)]),
  )
  const report = await call.client.json<CertificateReport>('certsSet', { params: app(call), body: pems })
  print(call, report)
}

/** The blocks of PEM in whatever holds them: a tar archive keeps its files' text as it is. */
export function splitPem(input: Buffer): { certificate: string; key: string } {
  const plain =
    input[0] === 0x1f && input[1] === 0x8b
      ? gunzipSync(input, { maxOutputLength: 4 * limits.longest })
      : input
  const blocks = plain.toString('latin1').match(/-----BEGIN ([A-Z0-9 ]+)-----[^\0]*?-----END \1-----/g) ?? []
  const of = (kind: RegExp) =>
    blocks.filter((block) => kind.test(block.slice(0, 60))).map((block) => `${block}\n`)
  const keys = of(/PRIVATE KEY/)
  if (keys.length > 1)
    throw invalid(`There are ${keys.length} private keys, and one certificate is to be added.`)
  return { certificate: of(/CERTIFICATE-/).join(''), key: keys.join('') }
}

function print(call: Invocation, report: CertificateReport): void {
  call.out.value(report, () => printReport(call, report))
}

function printReport({ out }: Invocation, report: CertificateReport): void {
  out.report(`${report.app} certificate information`, {
    Hosts: report.hosts.join(' '),
    Source: report.source,
    Subject: report.subject,
    Issuer: report.issuer,
    'Valid from': report.notBefore,
    'Valid until': report.notAfter,
    Fingerprint: report.fingerprint,
  })
  if (report.expired) out.error('The certificate has expired: browsers refuse it.')
  if (report.uncovered.length > 0) out.error(`It is not for ${report.uncovered.join(', ')}.`)
}
