import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { defaultDetachKeys, parseDetachKeys, splitAtDetach } from './detach-keys.ts'
import { parseFilters } from './filters.ts'
import { encoderFor, frame, streamContentType } from './framing.ts'
import { parseRegistryAuth, parseRegistryConfig } from './registry-auth.ts'
import { isDockerHijack } from './routes.ts'
import { requestedVersion, splitVersion } from './versions.ts'

describe('versions', () => {
  it('are optional in the path', () => {
    expect(splitVersion('/v1.44/containers/json')).toEqual({ prefix: '1.44', rest: '/containers/json' })
    expect(splitVersion('/containers/json')).toEqual({ prefix: undefined, rest: '/containers/json' })
    expect(requestedVersion('/info').text).toBe('1.51')
    expect(requestedVersion('/v1.24/info').minor).toBe(24)
  })

  it('are refused in the words of dockerd', () => {
    expect(() => requestedVersion('/v1.99/info')).toThrow(
      'client version 1.99 is too new. Maximum supported API version is 1.51',
    )
    expect(() => requestedVersion('/v1.12/info')).toThrow(
      'client version 1.12 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version',
    )
    expect(() => requestedVersion('/v2.0/info')).toThrow('too new')
  })
})

describe('filters', () => {
  it('come in both forms', () => {
    expect(parseFilters('{"label":["a","b=c"],"status":["running"]}')).toEqual({
      label: ['a', 'b=c'],
      status: ['running'],
    })
    expect(parseFilters('{"label":{"a":true,"b":false}}')).toEqual({ label: ['a'] })
    expect(parseFilters(undefined)).toEqual({})
    expect(parseFilters('')).toEqual({})
  })

  it.each(['{', '[]', '"x"', 'null', '{"label":"a"}', '{"label":[1]}'])('refuse %s', (text) => {
    expect(() => parseFilters(text)).toThrow(expect.objectContaining({ kind: 'invalid' }))
  })
})

describe('frames', () => {
  it('have eight bytes of header and are one piece', () => {
    expect([...frame({ stream: 2, data: Buffer.from('hi') })]).toEqual([2, 0, 0, 0, 0, 0, 0, 2, 104, 105])
    expect(Buffer.from(encoderFor(true)({ stream: 1, data: Buffer.from('hi') })).toString()).toBe('hi')
  })

  it('are told by the content type from 1.42 on', () => {
    expect(streamContentType(false, 42)).toBe('application/vnd.docker.multiplexed-stream')
    expect(streamContentType(false, 41)).toBe('application/vnd.docker.raw-stream')
    expect(streamContentType(true, 51)).toBe('application/vnd.docker.raw-stream')
  })
})

describe('detach keys', () => {
  it('are read as the command line writes them', () => {
    expect(parseDetachKeys(undefined)).toEqual(defaultDetachKeys)
    expect(parseDetachKeys('ctrl-a,x')).toEqual([1, 120])
    expect(parseDetachKeys('ctrl-@,ctrl-[,ctrl-_')).toEqual([0, 27, 31])
    expect(() => parseDetachKeys('ctrl-')).toThrow('ctrl-')
  })

  it('are found across chunks, and what only begins like them is passed on', () => {
    const run = (...chunks: number[][]) => {
      const split = splitAtDetach([16, 17])
      const out: number[] = []
      for (const chunk of chunks) {
        const { before, detached } = split(Uint8Array.from(chunk))
        out.push(...before)
        if (detached) return [...out, 'detached']
      }
      return out
    }
    expect(run([1, 16], [17, 2])).toEqual([1, 'detached'])
    expect(run([16, 2, 16, 16, 3])).toEqual([16, 2, 16, 16, 3])
    expect(run([16, 16, 17])).toEqual([16, 'detached'])
  })

  it('change nothing in what holds none of them', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 8 })), (chunks) => {
        const split = splitAtDetach([300])
        const out = chunks.flatMap((chunk) => [...split(chunk).before])
        expect(out).toEqual(chunks.flatMap((chunk) => [...chunk]))
      }),
    )
  })
})

describe('registry auth', () => {
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

  it('is read from either alphabet, padded or not', () => {
    const config = { username: 'ada', password: 'pä?>ss', serveraddress: 'r.example' }
    const expected = { username: 'ada', password: 'pä?>ss', serverAddress: 'r.example' }
    expect(parseRegistryAuth(encode(config))).toEqual(expected)
    expect(parseRegistryAuth(Buffer.from(JSON.stringify(config)).toString('base64'))).toEqual(expected)
  })

  it('may be a pair, a token, or nothing', () => {
    expect(parseRegistryAuth(encode({ auth: btoa('ada:p:w') }))).toEqual({ username: 'ada', password: 'p:w' })
    expect(parseRegistryAuth(encode({ identitytoken: 't' }))).toEqual({ identityToken: 't' })
    expect(parseRegistryAuth(encode({}))).toBeUndefined()
    expect(parseRegistryAuth(undefined)).toBeUndefined()
    expect(() => parseRegistryAuth('!!')).toThrow('X-Registry-Auth')
  })

  it('is a map for builds', () => {
    expect(parseRegistryConfig(encode({ 'r.example': { username: 'a', password: 'b' }, x: {} }))).toEqual({
      'r.example': { username: 'a', password: 'b' },
    })
  })
})

it('knows which requests of old clients take the connection over', () => {
  expect(isDockerHijack('POST', '/v1.21/containers/a/attach')).toBe(true)
  expect(isDockerHijack('POST', '/exec/e/start')).toBe(true)
  expect(isDockerHijack('GET', '/containers/a/attach')).toBe(false)
  expect(isDockerHijack('POST', '/containers/a/start')).toBe(false)
})
