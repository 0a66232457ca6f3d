import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { checkRegistryLogin } from './registry-login.ts'

/** A registry that takes ada:secret, by itself or by its token service. */
async function startRegistry(bearer: boolean): Promise<string> {
  const server = http.createServer((request, response) => {
    const known = request.headers.authorization === `Basic ${btoa('ada:secret')}`
    const isToken = request.url?.startsWith('/token?service=r&account=ada')
    if (known && (isToken || !bearer)) return response.end('{}')
    const challenge = bearer
      ? `Bearer realm="http://${request.headers.host}/token",service="r"`
      : 'Basic realm="r"'
    response.writeHead(401, { 'www-authenticate': challenge }).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

it.each([false, true])('checks name and password (token service: %s)', async (bearer) => {
  const server = await startRegistry(bearer)
  const { signal } = new AbortController()
  await checkRegistryLogin({ username: 'ada', password: 'secret', server, signal })
  await expect(
    checkRegistryLogin({ username: 'ada', password: 'wrong', server, signal }),
  ).rejects.toMatchObject({
    kind: 'unauthorized',
    message: expect.stringContaining('incorrect username or password'),
  })
})

it('says which registry does not answer', async () => {
  const { signal } = new AbortController()
  const login = checkRegistryLogin({ username: 'a', password: 'b', server: '127.0.0.1:1', signal })
  await expect(login).rejects.toThrow('Get "http://127.0.0.1:1/v2/": ')
})
