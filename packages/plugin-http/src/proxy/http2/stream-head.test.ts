import { describe, expect, it } from 'vitest'
import { CHUNKED, NO_BODY } from '../http1/framing.ts'
import { readStreamHead } from './stream-head.ts'

function read(fields: Record<string, string>, { whole = true, trusted = false, raw = [] as string[] } = {}) {
  const headers = { ':method': 'GET', ':path': '/', ':authority': 'a.test', ':scheme': 'https', ...fields }
  return readStreamHead(headers, [...Object.entries(headers).flat(), ...raw], whole, trusted)
}

describe('a stream', () => {
  it('becomes a request of HTTP/1.1', () => {
    expect(
      read(
        { 'x-a': '1', te: 'trailers', 'x-forwarded-for': '6.6.6.6' },
        { raw: ['cookie', 'a=1', 'cookie', 'b=2'] },
      ),
    ).toMatchObject({
      method: 'GET',
      path: '/',
      host: 'a.test',
      length: NO_BODY,
      fields: 'x-a: 1\r\ncookie: a=1; b=2\r\n',
      claims: undefined,
    })
    expect(read({ ':method': 'POST' }, { whole: false })).toMatchObject({
      length: CHUNKED,
      fields: 'transfer-encoding: chunked\r\n',
    })
    expect(read({ 'content-length': '3' }, { whole: false })).toMatchObject({
      length: 3,
      fields: 'content-length: 3\r\n',
    })
    expect(read({ 'x-forwarded-for': '1.1.1.1' }, { trusted: true })).toMatchObject({
      claims: { for: '1.1.1.1' },
    })
  })

  it.each<Record<string, string>>([
    { ':path': '/a\r\nX: y' },
    { ':path': '*' },
    { ':path': '/a b' },
    { ':method': 'GET / HTTP/1.1\r\nX: y' },
    { ':method': 'CONNECT' },
    { ':authority': 'a\r\nb' },
    { ':authority': '' },
    { host: 'b.test' },
    { 'x-a': 'b\r\nEvil: 1' },
    { 'x-a': 'b\0' },
    { 'x a': 'b' },
    { 'X-Upper': 'b' },
    { 'content-length': '1x' },
    { 'content-length': '5' },
  ])('with %j is refused', (fields) => expect(read(fields)).toBe(400))
})
