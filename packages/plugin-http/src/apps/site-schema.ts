/** Shapes of what stands at an app's front door; see schema.ts. */
import { z } from '@hono/zod-openapi'
import type { AcmeReport, CertificateReport, EdgePage, SiteRedirect, SiteReport } from '@kernel/contracts'
import { mirrors } from './schema.ts'

const time = z.string().openapi({ format: 'date-time' })
const edgePage = z.enum(['404', '502', '503', '504', 'maintenance'] satisfies EdgePage[])

export const siteRedirect = mirrors<SiteRedirect>()(
  'SiteRedirect',
  z.object({
    host: z.string().optional(),
    path: z.string().optional(),
    to: z.string(),
    status: z.union([z.literal(301), z.literal(302), z.literal(307), z.literal(308)]),
    keepPath: z.boolean().optional(),
  }),
)

export const siteReport = mirrors<SiteReport>()(
  'SiteReport',
  z.object({
    app: z.string(),
    maintenance: z.boolean(),
    httpsRedirect: z.object({ setting: z.enum(['auto', 'on', 'off']), active: z.boolean() }),
    hsts: z.string().optional(),
    redirects: z.array(siteRedirect),
    auth: z.object({ enabled: z.boolean(), users: z.array(z.string()) }),
    rateLimit: z.object({ perSecond: z.number(), burst: z.number() }).optional(),
    compress: z.array(z.enum(['zstd', 'br', 'gzip'])),
    maxBodyBytes: z.number().optional(),
    pages: z.array(edgePage),
  }),
)

/** HTML by page. */
export const sitePages = z.partialRecord(edgePage, z.string())

export const certificateReport = mirrors<CertificateReport>()(
  'CertificateReport',
  z.object({
    app: z.string(),
    source: z.enum(['upload', 'self-signed', 'acme']),
    hosts: z.array(z.string()),
    uncovered: z.array(z.string()),
    subject: z.string(),
    issuer: z.string(),
    serial: z.string(),
    fingerprint: z.string(),
    notBefore: time,
    notAfter: time,
    expired: z.boolean(),
    certificate: z.string(),
  }),
)

export const acmeReport = mirrors<AcmeReport>()(
  'AcmeReport',
  z.object({
    app: z.string(),
    enabled: z.boolean(),
    email: z.string().optional(),
    server: z.string(),
    challenge: z.enum(['http-01', 'tls-alpn-01']),
    hosts: z.array(z.string()),
    notAfter: time.optional(),
    renewAfter: time.optional(),
    error: z.string().optional(),
    failures: z.int(),
    nextAttempt: time.optional(),
  }),
)
