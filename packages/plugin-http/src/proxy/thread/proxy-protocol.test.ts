import { describe, expect, it } from 'vitest'
import { readProxyHeader } from './proxy-protocol.ts'

const read = (text: string) => readProxyHeader(Buffer.from(text, 'latin1'))
const SIGNATURE = '\r\n\r\n\0\r\nQUIT\n'
const bytes = (...list: number[]) => String.fromCharCode(...list)

describe('version 1', () => {
  it('names the visitor', () => {
    expect(read('PROXY TCP4 1.2.3.4 10.0.0.1 5000 443\r\nGET /')).toEqual({
      address: '1.2.3.4',
      localPort: 443,
      size: 38,
    })
    expect(read('PROXY TCP6 2001:db8::1 ::1 5000 443\r\n')).toMatchObject({ address: '2001:db8::1' })
    expect(read('PROXY UNKNOWN whatever\r\n')).toMatchObject({ address: undefined, size: 24 })
  })
  it('waits for the rest', () => {
    for (const part of ['P', 'PROXY', 'PROXY TCP4 1.2.3.4 10.0.0.1 5000 443\r'])
      expect(read(part)).toBeUndefined()
  })
  it.each([
    'GET / HTTP/1.1\r\n',
    'PROXY TCP4 a b c d\r\n',
    'PROXX',
    `PROXY ${'x'.repeat(200)}`,
    'PROXY TCP4 1.2.3.4 1.1.1.1 1 2\n',
  ])('is not %j', (text) => expect(read(text)).toBe('bad'))
})

describe('version 2', () => {
  const v4 = `${SIGNATURE}${bytes(0x21, 0x11, 0, 12, 1, 2, 3, 4, 10, 0, 0, 1, 0x13, 0x88, 1, 0xbb)}`
  it('names the visitor', () => {
    expect(read(`${v4}GET`)).toEqual({ address: '1.2.3.4', localPort: 443, size: 28 })
    const address = bytes(0x20, 1, 0xd, 0xb8, ...Array<number>(11).fill(0), 1)
    const v6 = `${SIGNATURE}${bytes(0x21, 0x21, 0, 36)}${address}${address}${bytes(0, 1, 1, 0xbb)}`
    expect(read(v6)).toEqual({ address: '2001:db8::1', localPort: 443, size: 52 })
    expect(read(`${SIGNATURE}${bytes(0x20, 0, 0, 0)}`)).toMatchObject({ address: undefined, size: 16 })
  })
  it('waits for the rest, byte by byte', () => {
    for (let size = 1; size < v4.length; size++) expect(read(v4.slice(0, size))).toBeUndefined()
  })
  it.each([
    `${SIGNATURE}${bytes(0x11, 0x11, 0, 12)}`,
    `${SIGNATURE}${bytes(0x22, 0x11, 0, 12)}`,
    `${SIGNATURE}${bytes(0x21, 0x11, 0xff, 0xff)}`,
    `${SIGNATURE}${bytes(0x21, 0x11, 0, 4, 1, 2, 3, 4)}`,
    '\r\n\r\nGET',
  ])('is not %j', (text) => expect(read(text)).toBe('bad'))
})
