import { describe, expect, it } from 'vitest'
import { formatAddress, parseAddress } from './address.ts'

describe('parseAddress', () => {
  it.each([
    ['unix:///run/kernel.sock', { kind: 'unix', path: '/run/kernel.sock' }],
    ['tcp://127.0.0.1:2375', { kind: 'tcp', host: '127.0.0.1', port: 2375 }],
    ['tcp://[::1]:0', { kind: 'tcp', host: '::1', port: 0 }],
    ['tcp://localhost:2376', { kind: 'tcp', host: 'localhost', port: 2376 }],
    ['fd://', { kind: 'fd', name: '' }],
    ['fd://api', { kind: 'fd', name: 'api' }],
  ])('reads %s', (text, address) => {
    expect(parseAddress(text)).toEqual(address)
    expect(formatAddress(parseAddress(text))).toBe(text)
  })

  it.each([
    '',
    '/run/x.sock',
    'unix://run/x.sock',
    'tcp://127.0.0.1',
    'tcp://:80',
    'tcp://h:70000',
    'http://h:1',
  ])('refuses %j', (text) => {
    expect(() => parseAddress(text)).toThrow(expect.objectContaining({ kind: 'invalid' }))
  })

  it('refuses a path that Linux would cut', () => {
    expect(() => parseAddress(`unix:///${'x'.repeat(120)}`)).toThrow('longer than 107 bytes')
  })
})
