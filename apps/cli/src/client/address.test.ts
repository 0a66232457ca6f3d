import { describe, expect, it } from 'vitest'
import { defaultSocket, parseAddress, showAddress } from './address.ts'

describe('the address of the daemon', () => {
  it('is a socket by its absolute path', () => {
    expect(parseAddress('unix:///run/a b.sock', {})).toEqual({ kind: 'unix', path: '/run/a b.sock' })
  })

  it.each([
    ['tcp://127.0.0.1:2375', { protocol: 'http', host: '127.0.0.1', port: 2375 }],
    ['http://box.example.com:80/', { protocol: 'http', host: 'box.example.com', port: 80 }],
    ['https://box:443', { protocol: 'https', host: 'box', port: 443 }],
    ['tcp://[::1]:2375', { protocol: 'http', host: '::1', port: 2375 }],
  ])('reads %s', (text, expected) => {
    expect(parseAddress(text, {})).toEqual({ kind: 'tcp', ...expected })
  })

  it('takes the token from the environment, for TCP alone', () => {
    const env = { KERNEL_TOKEN: 'secret' }
    expect(parseAddress('tcp://box:1', env)).toMatchObject({ token: 'secret' })
    expect(parseAddress('unix:///run/x.sock', env)).not.toHaveProperty('token')
    expect(showAddress(parseAddress('tcp://box:1', env))).toBe('http://box:1')
  })

  it.each(['box', 'box:1', 'tcp://box', 'tcp://box:70000', 'ftp://box:1', 'tcp://a/b:1', 'unix://relative'])(
    'refuses %s and shows the right form',
    (text) => {
      expect(() => parseAddress(text, {})).toThrow(
        expect.objectContaining({ kind: 'invalid', hint: expect.stringContaining('unix:///') }),
      )
    },
  )

  it('falls back to the socket of this user', () => {
    const env = { XDG_RUNTIME_DIR: '/run/user/7', HOME: '/home/ann' }
    expect(parseAddress('', env)).toEqual({ kind: 'unix', path: defaultSocket(env) })
    const getuid = process.getuid
    try {
      process.getuid = () => 7
      expect(defaultSocket(env)).toBe('/run/user/7/kernel/kernel.sock')
      expect(defaultSocket({ HOME: '/home/ann' })).toBe('/home/ann/.local/run/kernel/kernel.sock')
      process.getuid = () => 0
      expect(defaultSocket(env)).toBe('/run/kernel/kernel.sock')
    } finally {
      process.getuid = getuid
    }
  })
})
