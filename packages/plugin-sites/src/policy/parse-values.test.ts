import { describe, expect, it } from 'vitest'
import {
  checkRedirect,
  parseCodings,
  parseFrom,
  parseHsts,
  parseRateLimit,
  parseSize,
} from './parse-values.ts'

const refused = (work: () => unknown) => {
  expect(work).toThrow(expect.objectContaining({ kind: 'invalid' }))
}

describe('a rate', () => {
  it.each([
    ['50/s', 50, 50],
    ['50/s burst 100', 50, 100],
    ['50/S, burst=7', 50, 7],
    ['0.5/s', 0.5, 1],
    ['600/m', 10, 10],
    ['600 / m burst 1', 10, 1],
    ['36/h', 0.01, 1],
  ])('%s is %d a second, %d at once', (text, perSecond, burst) =>
    expect(parseRateLimit(text)).toEqual({ perSecond, burst }),
  )
  it.each(['', '50', 's', '0/s', '-1/s', '5/d', '5/s burst', '5/s burst 0', '1e3/s', '1/h burst 1000'])(
    'is not %j',
    (text) => refused(() => parseRateLimit(text)),
  )
})

describe('a size', () => {
  it.each([
    ['1', 1],
    ['10m', 10_485_760],
    ['512K', 524_288],
    ['1gb', 1_073_741_824],
  ])('%s is %d bytes', (text, bytes) => expect(parseSize(text)).toBe(bytes))
  it.each(['', '0', '1.5m', '-1', '10 mm', '999999999999g'])('is not %j', (text) =>
    refused(() => parseSize(text)),
  )
})

describe('codings', () => {
  it.each([
    ['on', ['zstd', 'br', 'gzip']],
    ['gzip', ['gzip']],
    ['gzip, brotli br', ['gzip', 'br']],
  ])('%s are %j', (text, expected) => expect(parseCodings(text)).toEqual(expected))
  it.each(['deflate', 'gzip,', 'yes'])('are not %j', (text) => refused(() => parseCodings(text)))
})

describe('HSTS', () => {
  it.each([
    ['on', 'max-age=31536000'],
    ['max-age=0', 'max-age=0'],
    ['max-age=63072000;includeSubDomains;  preload', 'max-age=63072000; includeSubDomains; preload'],
  ])('%s is %s', (text, expected) => expect(parseHsts(text)).toBe(expected))
  it.each(['yes', 'includeSubDomains', 'max-age=1; max-age=2', 'max-age=1\r\nX: y', 'max-age=x'])(
    'is not %j',
    (text) => refused(() => parseHsts(text)),
  )
})

describe('a redirect', () => {
  const sound = { to: 'https://example.com', status: 301 as const }
  it('is kept in the form of requests', () => {
    expect(checkRedirect({ ...sound, host: 'WWW.Bücher.example' })).toEqual({
      ...sound,
      host: 'www.xn--bcher-kva.example',
      keepPath: true,
    })
    expect(checkRedirect({ path: '/a', to: '/b', status: 308, keepPath: false })).toEqual({
      path: '/a',
      to: '/b',
      status: 308,
      keepPath: false,
    })
  })

  it.each([
    { to: 'example.com' },
    { to: '//evil.example' },
    { to: '/\\evil.example' },
    { to: 'javascript:alert(1)' },
    { to: 'https://user:password@example.com' },
    { to: 'https://example.com/\r\nX: y' },
    { to: 'https://' },
    { to: '' },
    { status: 200 },
    { status: 303 },
    { path: 'a' },
    { path: '/a b' },
    { path: '/a?b' },
    { host: 'a b' },
    { host: 'example.com:80' },
  ])('is not %j', (change) => refused(() => checkRedirect({ ...sound, ...change } as never)))

  it.each([
    ['www.example.com', { host: 'www.example.com' }],
    ['/old', { path: '/old' }],
    ['*.Example.com/old/x', { host: '*.example.com', path: '/old/x' }],
  ])('from %s is from %j', (text, expected) => expect(parseFrom(text)).toEqual(expected))
})
