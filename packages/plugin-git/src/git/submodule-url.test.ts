import { describe, expect, it } from 'vitest'
import { protocolOf } from './submodules.ts'

describe('protocolOf', () => {
  it.each([
    ['https://example.com/x.git', 'https'],
    ['HTTPS://example.com/x.git', 'https'],
    ['ssh://git@example.com/x', 'ssh'],
    ['git@example.com:x/y.git', 'ssh'],
    ['example.com:x', 'ssh'],
    ['/srv/x', 'file'],
    ['file:///srv/x', 'file'],
    ['ext::sh -c id', undefined],
    ['-oProxyCommand=id:x', undefined],
    ['a@-oProxyCommand=id:x', undefined],
    ['x/y', undefined],
    ['', undefined],
  ])('of %s is %s', (url, protocol) => {
    expect(protocolOf(url)).toBe(protocol)
  })
})
