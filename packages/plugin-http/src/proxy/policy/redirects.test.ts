import type { SiteRedirect } from '@kernel/contracts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { findRedirect } from './redirects.ts'

const to = (rule: Partial<SiteRedirect>, host: string, target: string) =>
  findRedirect([{ to: 'https://new.example', status: 301, ...rule }], host, target)?.location

describe('a rule', () => {
  it.each<[Partial<SiteRedirect>, string, string, string | undefined]>([
    [{}, 'any.example', '/a', 'https://new.example'],
    [{ host: 'www.example' }, 'www.example', '/a?b=1', 'https://new.example'],
    [{ host: 'www.example' }, 'example', '/a', undefined],
    [{ host: '*.example' }, 'www.example', '/', 'https://new.example'],
    [{ host: '*.example' }, 'a.www.example', '/', undefined],
    [{ host: '*.example' }, 'example', '/', undefined],
    [{ path: '/old' }, 'x', '/old', 'https://new.example'],
    [{ path: '/old' }, 'x', '/old?b', 'https://new.example'],
    [{ path: '/old' }, 'x', '/old/page', 'https://new.example'],
    [{ path: '/old' }, 'x', '/older', undefined],
    [{ path: '/old/' }, 'x', '/old/page', 'https://new.example'],
    [{ path: '/old/' }, 'x', '/old', undefined],
    [{ path: '/' }, 'x', '/any', 'https://new.example'],
    [{}, 'x', '*', undefined],
    [{}, 'x', 'http://x/', undefined],
  ])('%j at %s%s leads to %s', (rule, host, target, location) =>
    expect(to(rule, host, target)).toBe(location),
  )
})

describe('keepPath', () => {
  const keep = { keepPath: true }
  it.each<[Partial<SiteRedirect>, string, string]>([
    [{}, '/a/b?c=1', 'https://new.example/a/b?c=1'],
    [{}, '/', 'https://new.example/'],
    [{ path: '/old' }, '/old/page?x', 'https://new.example/page?x'],
    [{ path: '/old' }, '/old', 'https://new.example'],
    [{ path: '/old/' }, '/old/page', 'https://new.example/page'],
    [{ path: '/old' }, '/old?x=1', 'https://new.example?x=1'],
    [{ path: '/' }, '/page', 'https://new.example/page'],
    [{ to: 'https://new.example/base/?k=v' }, '/a?b=c', 'https://new.example/base/a?k=v&b=c'],
    [{ path: '/old', to: '/new' }, '/old/a', '/new/a'],
  ])('of %j takes %s to %s', (rule, target, location) =>
    expect(to({ ...keep, ...rule }, 'x', target)).toBe(location),
  )
})

it('takes the first that fits, and passes over one that leads to where the visitor is', () => {
  const rules: SiteRedirect[] = [
    { path: '/a', to: '/a', status: 302 },
    { path: '/a', to: '/b', status: 307 },
    { to: '/c', status: 308 },
  ]
  expect(findRedirect(rules, 'x', '/a')).toEqual({ location: '/b', status: 307 })
  expect(findRedirect(rules, 'x', '/z')).toEqual({ location: '/c', status: 308 })
  expect(findRedirect([], 'x', '/')).toBeUndefined()
  expect(to({ keepPath: true }, 'new.example', '/a')).toBeUndefined()
  expect(to({ to: 'https://NEW.example:8443' }, 'new.example', '/')).toBeUndefined()
  expect(to({}, 'new.example', '/a')).toBe('https://new.example')
})

describe('whatever a visitor asks for', () => {
  const strange = fc
    .array(
      fc.constantFrom(
        '/',
        '\\',
        '.',
        '..',
        '@',
        ':',
        '?',
        '#',
        '%2f',
        '\r\n',
        '\n',
        '\t',
        'evil.example',
        'old',
      ),
    )
    .map((parts) => `/${parts.join('')}`)
  const onOwnHost = (location: string) => new URL(location, 'https://own.example').host

  it('a rule on the same host stays there', () => {
    fc.assert(
      fc.property(
        strange,
        fc.constantFrom('/', '/new', '/new/'),
        fc.constantFrom(undefined, '/', '/old'),
        (target, goal, path) => {
          const location = to({ to: goal, keepPath: true, ...(path && { path }) }, 'x', target)
          if (location !== undefined) expect(onOwnHost(location)).toBe('own.example')
        },
      ),
    )
  })

  it('a rule to another host leads to no third one', () => {
    fc.assert(
      fc.property(strange, fc.constantFrom(undefined, '/', '/old'), (target, path) => {
        const location = to({ keepPath: true, ...(path && { path }) }, 'x', target)
        if (location !== undefined) expect(new URL(location).host).toBe('new.example')
      }),
    )
  })

  it('no line of the head ends in it', () => {
    fc.assert(
      fc.property(strange, (target) => {
        expect(to({ keepPath: true }, 'x', target) ?? '').toMatch(/^[\x21-\x7e]*$/)
      }),
    )
  })
})
