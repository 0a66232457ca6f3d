import { expect, test } from 'vitest'
import { Authorizer, parseChallenge } from './auth.ts'
import { endpointOf } from './client.ts'

test.each([
  [
    'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/x:pull,push"',
    {
      scheme: 'bearer',
      parameters: {
        realm: 'https://auth.docker.io/token',
        service: 'registry.docker.io',
        scope: 'repository:library/x:pull,push',
      },
    },
  ],
  ['Basic realm="a \\"b\\""', { scheme: 'basic', parameters: { realm: 'a "b"' } }],
  ['bearer realm=plain', { scheme: 'bearer', parameters: { realm: 'plain' } }],
  ['Basic realm="x", Bearer realm="https://t/"', { scheme: 'bearer', parameters: { realm: 'https://t/' } }],
  ['Negotiate', undefined],
  [null, undefined],
])('challenge %s', (header, challenge) => {
  expect(parseChallenge(header)).toEqual(challenge)
})

test('an identity token is refreshed by POST; passwords never go into a URL', async () => {
  const asked: Array<[string, RequestInit | undefined]> = []
  const fetch = (async (url: string | URL, init?: RequestInit) => {
    asked.push([String(url), init])
    return Response.json({ access_token: 'fresh' })
  }) as typeof globalThis.fetch
  const challenge = parseChallenge('Bearer realm="https://t/token",service="s"')
  const scope = 'repository:a/b:pull'

  const byToken = new Authorizer({ identityToken: 'idtoken' }, fetch)
  expect(await byToken.answer(challenge, scope)).toBe(true)
  expect(byToken.header(scope)).toBe('Bearer fresh')
  expect(byToken.header('repository:other:pull')).toBeUndefined()
  expect(asked[0]![1]).toMatchObject({ method: 'POST' })
  expect(String(asked[0]![1]!.body)).toContain('refresh_token=idtoken')

  const byPassword = new Authorizer({ username: 'me', password: 'hush' }, fetch)
  await byPassword.answer(challenge, scope)
  expect(asked[1]![0]).toBe('https://t/token?service=s&scope=repository%3Aa%2Fb%3Apull&account=me')
})

test('a token server that is no web address is not asked', async () => {
  const authorizer = new Authorizer(undefined, () => expect.unreachable())
  const challenge = parseChallenge('Bearer realm="file:///etc/passwd"')
  await expect(authorizer.answer(challenge, 'x')).rejects.toThrow('does not say where from')
})

test.each([
  ['docker.io', 'https://registry-1.docker.io'],
  ['ghcr.io', 'https://ghcr.io'],
  ['localhost:5000', 'http://localhost:5000'],
  ['127.1.2.3', 'http://127.1.2.3'],
  ['lan:5000', 'http://lan:5000'],
  ['127.0.0.1.example.com', 'https://127.0.0.1.example.com'],
])('%s is spoken to at %s', (domain, url) => {
  expect(endpointOf(domain, ['lan:5000'])).toBe(url)
})
