/** What an operator wants to be woken by: certificates that end, and renewals that fail. @module */
import type { AcmeReport, CertificateReport } from '@kernel/contracts'

/** Lines in the text format of Prometheus; names of apps hold nothing that would have to be escaped. */
export function certificateMetrics(
  certificates: ReadonlyArray<Pick<CertificateReport, 'app' | 'notAfter'>>,
  renewals: ReadonlyArray<Pick<AcmeReport, 'app' | 'enabled' | 'failures'>>,
): string {
  const gauge = (name: string, help: string, rows: ReadonlyArray<[app: string, value: number]>) =>
    rows.length === 0
      ? []
      : [
          `# HELP ${name} ${help}`,
          `# TYPE ${name} gauge`,
          ...rows.map(([app, value]) => `${name}{app="${app}"} ${value}`),
        ]
  const lines = [
    ...gauge(
      'kernel_certificate_not_after_seconds',
      'When the certificate of an app ends, in seconds since 1970.',
      certificates.map(({ app, notAfter }) => [app, Math.floor(Date.parse(notAfter) / 1000)]),
    ),
    ...gauge(
      'kernel_acme_failures',
      'Renewals that failed since the last one that worked.',
      renewals.filter(({ enabled }) => enabled).map(({ app, failures }) => [app, failures]),
    ),
  ]
  return lines.map((line) => `${line}\n`).join('')
}
