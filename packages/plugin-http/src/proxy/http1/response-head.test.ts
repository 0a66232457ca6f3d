import { describe, expect, it } from 'vitest'
import { CHUNKED, NO_BODY, UNTIL_CLOSE } from './framing.ts'
import { HeadLines } from './head-lines.ts'
import { readResponseHead } from './response-head.ts'

function read(text: string, bodyless = false) {
  const buf = Buffer.from(`${text}\r\n\r\n`, 'latin1')
  const lines = new HeadLines(16 << 10, 100)
  lines.reset(0)
  expect(lines.scan(buf)).toBe('done')
  return readResponseHead(buf, lines, bodyless)
}

describe('an answer', () => {
  it('is taken apart, and keeps what is for the visitor', () => {
    expect(
      read(
        'HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: keep-alive\r\nKeep-Alive: timeout=7\r\nX-A: 1\r\nContent-Length: 5',
      ),
    ).toMatchObject({
      status: 200,
      reason: 'OK',
      fields: 'Content-Type: text/html\r\nX-A: 1\r\n',
      length: 5,
      declared: 5,
      keepAlive: true,
      keepAliveSec: 7,
      contentType: 'text/html',
    })
    expect(read('HTTP/1.1 404')).toMatchObject({
      status: 404,
      reason: '',
      length: UNTIL_CLOSE,
      keepAlive: false,
    })
  })

  it.each([
    ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked', false, CHUNKED, true],
    ['HTTP/1.0 200 OK\r\nContent-Length: 2', false, 2, false],
    ['HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2', false, 2, true],
    ['HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2', false, 2, false],
    ['HTTP/1.1 200 OK\r\nContent-Length: 2', true, NO_BODY, true],
    ['HTTP/1.1 204 No\r\nContent-Length: 2', false, NO_BODY, true],
    ['HTTP/1.1 304 Not', false, NO_BODY, true],
    ['HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2', false, 2, true],
  ])('%j (HEAD: %s) has its length', (text, bodyless, length, keepAlive) => {
    expect(read(text, bodyless)).toMatchObject({ length, keepAlive })
  })

  it.each([
    'HTTP/2 200 OK',
    'HTTP/1.1 20 OK',
    'HTTP/1.1 2000 OK',
    'HTTP/1.1 099 OK',
    'HTTP/1.1 600 OK',
    'HTTP/1.1 200 OK\r\nContent-Length: 2\t',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding:\tchunked',
    'ICY 200 OK',
    'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3',
    'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip',
    'HTTP/1.1 200 OK\r\nA b: c',
    'HTTP/1.1 200 OK\r\n folded',
  ])('%j is none', (text) => expect(read(text)).toBeUndefined())
})
