import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { closeAll, openApp, openEdge, raw, route } from './testing/fixtures.ts'

vi.setConfig({ testTimeout: 30_000 })

describe('hostile requests', () => {
  const seen: string[] = []
  let port = 0

  beforeAll(async () => {
    const { edge, port: opened } = await openEdge({ headersTimeoutMs: 1_000 }, { threads: 1 })
    port = opened
    const app = await openApp('a', (req, res) => {
      seen.push(req.method!)
      req.on('error', () => {}).resume()
      req.on('end', () => res.end())
    })
    await edge.publish('a', [route('', [app.target])])
  })
  afterAll(closeAll)

  const cases: Array<[string, string, number]> = [
    ['a length and chunks', 'Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 400],
    ['chunks and a length', 'Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n', 400],
    ['two lengths', 'Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd', 400],
    ['two equal lengths', 'Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc', 400],
    ['a length with a sign', 'Content-Length: +3\r\n\r\nabc', 400],
    ['two codings', 'Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n', 501],
    ['chunks that are not last', 'Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n', 400],
    ['a coding that looks like chunks', 'Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n', 501],
    ['a space before the colon', 'Content-Length : 3\r\n\r\nabc', 400],
    ['a folded line', 'X-A: b\r\n c\r\n\r\n', 400],
    ['bare line feeds', 'X-A: b\nX-C: d\r\n\r\n', 400],
    ['a bare carriage return', 'X-A: b\rX-C: d\r\n\r\n', 400],
    ['a null', 'X-A: b\0c\r\n\r\n', 400],
    ['two hosts', 'Host: other\r\n\r\n', 400],
    ['bad chunk sizes', 'Transfer-Encoding: chunked\r\n\r\nzz\r\n', 400],
  ]
  it.each(cases)('with %s are refused and reach no app', async (_, lines, status) => {
    const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: app.test\r\n\r\n'
    // Until the edge closes the connection: what follows must never be taken for a request.
    const answer = await raw(port, `POST / HTTP/1.1\r\nHost: app.test\r\n${lines}${smuggled}`)
    expect(answer.status).toBe(status)
    expect(seen.filter((method) => method === 'GET')).toEqual([])
  })

  it.each([
    ['no host', 'GET / HTTP/1.1\r\n\r\n', 400],
    ['a host that is none', 'GET / HTTP/1.1\r\nHost: a/b\r\n\r\n', 400],
    ['an asterisk', 'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n', 400],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
    ['a head beyond the limit', `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
    ['too many headers', `GET / HTTP/1.1\r\nHost: a\r\n${'X: 1\r\n'.repeat(200)}\r\n`, 431],
    ['an unknown expectation', 'GET / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n', 417],
  ])('with %s get an answer of their own', async (_, text, status) => {
    expect((await raw(port, text, (seen) => /\r\n\r\n/.test(seen))).status).toBe(status)
  })

  it('that never end are cut off', async () => {
    expect((await raw(port, 'GET / HTTP/1.1\r\nHost: a\r\nX: ')).status).toBe(408)
  })

  it('with CONNECT get no tunnel', async () => {
    const socket = connect(port, '127.0.0.1')
    socket.write('CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: a\r\n\r\n')
    let text = ''
    for await (const chunk of socket) text += chunk
    expect(text).not.toContain('200')
  })
})
