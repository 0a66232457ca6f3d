import { describe, expect, it } from 'vitest'
import { refuseForeignPages } from './origin.ts'

describe('refuseForeignPages', () => {
  const check =
    (headers: Record<string, string>, hasCookie = false) =>
    () =>
      refuseForeignPages(headers, ['dash.example.com'], hasCookie)

  it.each([
    [{ host: 'anything.example' }],
    [{ host: 'localhost:8080', 'sec-fetch-site': 'same-origin' }],
    [{ host: 'localhost', 'sec-fetch-site': 'none' }],
    [{ host: '127.0.0.1:8080', origin: 'http://127.0.0.1:8080' }],
    [{ host: '[::1]:8080', origin: 'http://[::1]:8080' }],
    [{ host: 'dash.example.com', origin: 'https://dash.example.com', 'sec-fetch-site': 'same-origin' }],
  ])('lets %j pass', (headers) => {
    expect(check(headers)).not.toThrow()
  })

  it.each([
    [{ host: 'localhost', 'sec-fetch-site': 'cross-site' }],
    [{ host: 'localhost', 'sec-fetch-site': 'same-site' }],
    [{ host: 'localhost:8080', origin: 'http://localhost:9090' }],
    [{ host: 'localhost', origin: 'null' }],
    // DNS rebinding: the page's own name points here.
    [{ host: 'evil.example', origin: 'http://evil.example', 'sec-fetch-site': 'same-origin' }],
  ])('refuses %j', (headers) => {
    expect(check(headers)).toThrow(expect.objectContaining({ kind: 'denied' }))
  })

  it('asks for a known name wherever a session is shown', () => {
    expect(check({ host: 'evil.example' }, true)).toThrow('evil.example')
    expect(check({ host: '10.0.0.1' }, true)).not.toThrow()
  })
})
