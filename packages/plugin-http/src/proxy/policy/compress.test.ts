import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { chooseCoding, createEncoder, encodedHeaders, isCompressible, varyingHeaders } from './compress.ts'

const all = ['zstd', 'br', 'gzip'] as const

describe('the coding for a client', () => {
  it.each<[string | undefined, string | undefined]>([
    [undefined, undefined],
    ['', undefined],
    ['gzip', 'gzip'],
    ['GZIP', 'gzip'],
    ['x-gzip', 'gzip'],
    ['gzip, deflate, br, zstd', 'zstd'],
    ['gzip, deflate, br', 'br'],
    ['deflate', undefined],
    ['*', 'zstd'],
    ['*;q=0', undefined],
    ['*;q=0, gzip', 'gzip'],
    ['zstd;q=0, *', 'br'],
    ['gzip;q=1.0, br;q=0.5, zstd;q=0', 'gzip'],
    ['br;q=0.8, gzip;q=0.8', 'br'],
    ['gzip;q=0', undefined],
    ['gzip;q=0.000', undefined],
    ['gzip;q=0.001', 'gzip'],
    ['gzip;q=2', undefined],
    ['gzip;q=abc', undefined],
    ['gzip ; Q=0.5 , br;q=0.4', 'gzip'],
    ['identity', undefined],
    ['identity, gzip;q=0.5', undefined],
    ['identity;q=0.5, gzip;q=1', 'gzip'],
    ['identity;q=0, gzip;q=0.1', 'gzip'],
    [', ,gzip', 'gzip'],
  ])('that says %j is %j', (header, coding) => expect(chooseCoding(header, all)).toBe(coding))

  it('is one that the owner allows', () => {
    expect(chooseCoding('gzip, br, zstd', ['gzip'])).toBe('gzip')
    expect(chooseCoding('zstd', ['gzip'])).toBeUndefined()
    expect(chooseCoding('gzip', [])).toBeUndefined()
    expect(chooseCoding('gzip, br', ['gzip', 'br'])).toBe('gzip')
  })
})

describe('an answer', () => {
  const page = {
    contentType: 'text/html; charset=utf-8',
    contentLength: 5000,
    status: 200,
    cacheControl: undefined,
    encoded: false,
  }
  it.each<[Partial<typeof page> | Record<string, unknown>, boolean]>([
    [{}, true],
    [{ contentLength: undefined }, true],
    [{ contentLength: 1023 }, false],
    [{ status: 404 }, true],
    [{ status: 206 }, false],
    [{ status: 204 }, false],
    [{ status: 304 }, false],
    [{ status: 101 }, false],
    [{ encoded: true }, false],
    [{ cacheControl: 'public, no-transform' }, false],
    [{ cacheControl: 'NO-TRANSFORM' }, false],
    [{ cacheControl: 'max-age=1, x-no-transform-ext' }, true],
    [{ contentType: undefined }, false],
    [{ contentType: 'text/event-stream' }, false],
    [{ contentType: 'text/event-stream; charset=utf-8' }, false],
    [{ contentType: 'application/json' }, true],
    [{ contentType: 'application/problem+json' }, true],
    [{ contentType: 'APPLICATION/JavaScript;charset=utf-8' }, true],
    [{ contentType: 'image/svg+xml' }, true],
    [{ contentType: 'application/wasm' }, true],
    [{ contentType: 'image/png' }, false],
    [{ contentType: 'video/mp4' }, false],
    [{ contentType: 'font/woff2' }, false],
    [{ contentType: 'application/octet-stream' }, false],
    [{ contentType: 'application/zip' }, false],
  ])('with %j: %s', (change, expected) =>
    expect(isCompressible({ ...page, ...change } as never)).toBe(expected),
  )
})

describe('an encoder', () => {
  const decode = { zstd: zstdDecompressSync, br: brotliDecompressSync, gzip: gunzipSync }
  const text = Buffer.from('All work and no play makes Jack a dull boy.\n'.repeat(5000))

  it.each(all)('of %s gives back what went in, smaller', async (coding) => {
    const pieces = Array.from({ length: 22 }, (_, n) => text.subarray(n * 10_000, (n + 1) * 10_000))
    const encoded = await buffer(Readable.from(pieces).pipe(createEncoder(coding)))
    expect(encoded.length).toBeLessThan(text.length / 20)
    expect(decode[coding](encoded).equals(text)).toBe(true)
  })

  it.each(all)('of %s gives up at a flush what it holds', async (coding) => {
    const encoder = createEncoder(coding)
    const seen: Buffer[] = []
    encoder.on('data', (piece) => seen.push(piece))
    encoder.write('first piece')
    await new Promise<void>((resolve) => encoder.flush(resolve))
    expect(Buffer.concat(seen).length).toBeGreaterThan(10)
    encoder.end('last piece')
    await new Promise((resolve) => encoder.once('end', resolve))
    expect(String(decode[coding](Buffer.concat(seen)))).toBe('first piecelast piece')
  })
})

describe('headers', () => {
  it('of an encoded answer tell of the bytes that go out', () => {
    expect(
      encodedHeaders(
        [
          ...['Content-Type', 'text/html', 'content-length', '5', 'ETag', '"abc"', 'Accept-Ranges', 'bytes'],
          ...['Set-Cookie', 'a=1', 'Set-Cookie', 'b=2', 'Content-Digest', 'sha-256=:x:'],
        ],
        'br',
      ),
    ).toEqual([
      ...['Content-Type', 'text/html', 'ETag', 'W/"abc"', 'Set-Cookie', 'a=1', 'Set-Cookie', 'b=2'],
      ...['Content-Encoding', 'br', 'Vary', 'Accept-Encoding'],
    ])
    expect(encodedHeaders(['etag', 'W/"x"'], 'gzip')).toContain('W/"x"')
  })

  it.each([
    [[], ['Vary', 'Accept-Encoding']],
    [
      ['vary', 'Cookie'],
      ['vary', 'Cookie, Accept-Encoding'],
    ],
    [
      ['Vary', 'accept-encoding'],
      ['Vary', 'accept-encoding'],
    ],
    [
      ['Vary', 'Cookie,Accept-Encoding'],
      ['Vary', 'Cookie,Accept-Encoding'],
    ],
    [
      ['Vary', '*'],
      ['Vary', '*'],
    ],
    [
      ['X', 'vary'],
      ['X', 'vary', 'Vary', 'Accept-Encoding'],
    ],
  ])('%j vary by the coding: %j', (pairs, expected) => expect(varyingHeaders(pairs)).toEqual(expected))
})
