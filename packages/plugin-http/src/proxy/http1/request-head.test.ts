import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CHUNKED, NO_BODY } from './framing.ts'
import { HeadLines } from './head-lines.ts'
import { readRequestHead } from './request-head.ts'

function read(text: string, trusted = false) {
  const buf = Buffer.from(text, 'latin1')
  const lines = new HeadLines(16 << 10, 100)
  lines.reset(0)
  const progress = lines.scan(buf)
  return progress === 'done' ? readRequestHead(buf, lines, trusted) : progress
}
const head = (lines: string, start = 'GET / HTTP/1.1') => read(`${start}\r\nHost: a.test\r\n${lines}\r\n`)
const fields = (lines: string, trusted = false) => {
  const found = read(`GET / HTTP/1.1\r\nHost: a.test\r\n${lines}\r\n`, trusted)
  return typeof found === 'object' ? found.fields : found
}

describe('a request', () => {
  it('is taken apart', () => {
    expect(
      read('POST /a?b HTTP/1.1\r\nHost: A.test:80\r\nContent-Length: 3\r\nX-A: 1\r\n\r\n'),
    ).toMatchObject({
      method: 'POST',
      path: '/a?b',
      host: 'A.test',
      authority: 'A.test:80',
      minor: 1,
      length: 3,
      keepAlive: true,
      fields: 'X-A: 1\r\nContent-Length: 3\r\n',
    })
    expect(read('GET / HTTP/1.0\r\n\r\n')).toMatchObject({
      host: '',
      minor: 0,
      keepAlive: false,
      length: NO_BODY,
    })
    expect(head('Transfer-Encoding: Chunked\r\n')).toMatchObject({ length: CHUNKED })
    expect(read('\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n')).toMatchObject({ host: 'a' })
    expect(read('GET http://A.test/x HTTP/1.1\r\nHost: a.test\r\n\r\n')).toMatchObject({
      host: 'A.test',
      path: '/x',
    })
    expect(read('GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n')).toMatchObject({ host: '[::1]' })
  })

  it('tells the target of its body in the words of the edge, and of its path in ASCII', () => {
    expect(fields('content-LENGTH:  007 \r\nX: 1\r\n')).toBe('X: 1\r\nContent-Length: 7\r\n')
    expect(fields('TRANSFER-encoding: CHUNKED\r\nX: 1\r\n')).toBe('X: 1\r\nTransfer-Encoding: chunked\r\n')
    expect(read('GET /\xc3\xa4?\xff=%41 HTTP/1.1\r\nHost: a\r\n\r\n')).toMatchObject({
      path: '/%C3%A4?%FF=%41',
    })
  })

  it('says whether its connection goes on', () => {
    expect(head('Connection: close\r\n')).toMatchObject({ keepAlive: false })
    expect(head('Connection: keep-alive, Close\r\n')).toMatchObject({ keepAlive: false })
    expect(read('GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n')).toMatchObject({ keepAlive: true })
    expect(head('Connection: Upgrade\r\nUpgrade: websocket\r\n')).toMatchObject({
      upgrade: 'websocket',
      fields: '',
    })
    expect(head('Upgrade: websocket\r\n')).toMatchObject({ upgrade: undefined, fields: '' })
    expect(head('Connection: Upgrade\r\nUpgrade: h2c\r\n')).toMatchObject({ upgrade: undefined })
  })

  it('loses what is meant for the edge alone', () => {
    expect(
      fields(
        'A: 1\r\nConnection: b, C\r\nB: 2\r\nC: 3\r\nTE: trailers\r\nKeep-Alive: 5\r\nD: 4\r\nProxy: x\r\n',
      ),
    ).toBe('A: 1\r\nD: 4\r\n')
    expect(fields('Content-Length: 4\r\nConnection: content-length, transfer-encoding\r\n')).toBe(
      'Content-Length: 4\r\n',
    )
  })

  it('tells who asks only where that is believed, however it is spelled', () => {
    const claims =
      'X-Forwarded-For: 6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nX-Forwarded-Proto: https\r\n'
    expect(head(claims)).toMatchObject({ fields: '', claims: undefined })
    expect(read(`GET / HTTP/1.1\r\nHost: a\r\n${claims}\r\n`, true)).toMatchObject({
      fields: 'X-Real-IP: 6.6.6.6\r\n',
      claims: { for: '6.6.6.6', proto: 'https', forwarded: 'for=6.6.6.6' },
    })
    for (const name of ['X_Forwarded_For', 'x-forwarded_for', 'X_REAL-IP', 'x_Real_ip']) {
      expect(fields(`${name}: 6.6.6.6\r\n`)).toBe('')
      expect(fields(`${name}: 6.6.6.6\r\n`, true)).toBe('')
    }
    expect(fields('X_Other_Name: 1\r\n')).toBe('X_Other_Name: 1\r\n')
  })
})

describe('a request that others might read otherwise is refused', () => {
  it.each([
    ['two lengths', 'Content-Length: 1\r\nContent-Length: 1\r\n', 400],
    ['a list of lengths', 'Content-Length: 1, 1\r\n', 400],
    ['a signed length', 'Content-Length: -1\r\n', 400],
    ['a length in hex', 'Content-Length: 0x1\r\n', 400],
    ['an empty length', 'Content-Length:\r\n', 400],
    ['a length beyond all numbers', `Content-Length: ${'9'.repeat(16)}\r\n`, 400],
    ['a tab before the length', 'Content-Length:\t1\r\n', 400],
    ['a tab behind the coding', 'Transfer-Encoding: chunked\t\r\n', 400],
    ['length and chunks', 'Content-Length: 1\r\nTransfer-Encoding: chunked\r\n', 400],
    ['two codings', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', 400],
    ['chunked in front', 'Transfer-Encoding: chunked, gzip\r\n', 400],
    ['another coding', 'Transfer-Encoding: gzip\r\n', 501],
    ['a vertical tab', 'Transfer-Encoding: \x0bchunked\r\n', 400],
    ['a second host', 'Host: b.test\r\n', 400],
    ['a blank before the colon', 'X : 1\r\n', 400],
    ['no colon', 'X\r\n', 400],
    ['no name', ': 1\r\n', 400],
    ['a folded line', 'X: 1\r\n 2\r\n', 400],
    ['a bare CR', 'X: 1\r2\r\n', 400],
    ['a NUL', 'X: 1\0\r\n', 400],
    ['an expectation', 'Expect: tea\r\n', 417],
  ])('%s', (_, lines, status) => {
    expect(head(lines)).toBe(status)
  })

  it.each([
    'GET  / HTTP/1.1',
    'GET / HTTP/1.1 ',
    ' GET / HTTP/1.1',
    'GET /a b HTTP/1.1',
    'GET /a\x00 HTTP/1.1',
    'GET /a#b HTTP/1.1',
    'GET / HTTP/1.2',
    'GET / http/1.1',
    'GET / HTTP/2.0',
    'GET /',
    'G@T / HTTP/1.1',
    `${'G'.repeat(33)} / HTTP/1.1`,
    'GET * HTTP/1.1',
    'CONNECT a.test:443 HTTP/1.1',
    'CONNECT / HTTP/1.1',
    'CONNECT http://a.test/ HTTP/1.1',
    'GET http://b.test/ HTTP/1.1',
    'GET ftp://a.test/ HTTP/1.1',
  ])('%j', (start) => expect(head('', start)).toBe(400))

  it('chunks by HTTP/1.0', () => {
    expect(read('POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n')).toBe(400)
  })

  it.each(['a/b', 'a b', 'a@b', 'user:1@a', '[::1', 'a:b', 'a,b\\'])('the host %j', (host) => {
    expect(read(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`)).toBe(400)
  })
})

describe('lines', () => {
  it('are found however the bytes arrive', () => {
    const text = Buffer.from('\r\nGET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n\r\nrest')
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: text.length })), (cuts) => {
        const lines = new HeadLines(1000, 10)
        lines.reset(0)
        let progress = 'more'
        for (const size of [...cuts.sort((a, b) => a - b), text.length]) {
          progress = lines.scan(text.subarray(0, size))
          if (progress === 'done') break
        }
        expect([progress, lines.count, lines.start, lines.end]).toEqual(['done', 3, 2, text.length - 4])
      }),
    )
  })

  it('are bounded in bytes and number', () => {
    const scan = (text: string, fieldsAtMost = 3) => {
      const lines = new HeadLines(64, fieldsAtMost)
      lines.reset(0)
      return lines.scan(Buffer.from(text))
    }
    expect(scan(`GET / HTTP/1.1\r\nX: ${'x'.repeat(60)}`)).toBe('too-large')
    expect(scan(`GET / HTTP/1.1\r\nX: ${'x'.repeat(60)}\r\n\r\n`)).toBe('too-large')
    expect(scan('\r\n'.repeat(40))).toBe('too-large')
    expect(scan('GET / HTTP/1.1\r\nA: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n\r\n')).toBe('too-many')
    expect(scan('GET / HTTP/1.1\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n')).toBe('done')
    expect(scan('GET / HTTP/1.1\nA: 1')).toBe('bad')
    expect(scan('GET / HTTP/1.1\r\nA: 1\n\r\n')).toBe('bad')
  })
})
