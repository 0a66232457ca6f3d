import { expect, it } from 'vitest'
import { certificateMetrics } from './metrics.ts'

it('tells when certificates end, and which renewals fail', () => {
  const renewal = { enabled: true, failures: 2 }
  const text = certificateMetrics(
    [{ app: 'blog', notAfter: '2026-01-01T00:00:00.000Z' }],
    [
      { app: 'blog', ...renewal },
      { app: 'old', ...renewal, enabled: false },
    ],
  )
  expect(text.split('\n').filter((line) => !line.startsWith('#'))).toEqual([
    'kernel_certificate_not_after_seconds{app="blog"} 1767225600',
    'kernel_acme_failures{app="blog"} 2',
    '',
  ])
  expect(text).toMatch(/^# TYPE kernel_acme_failures gauge$/m)
  expect(certificateMetrics([], [])).toBe('')
})
