import { expect, it } from 'vitest'
import { startDockerServer } from '../testing/docker-server.ts'
import { unixFetch } from '../testing/unix-fetch.ts'

/** What dockerd 20.10 answers outside a swarm, without plugins and without BuildKit. */
const notManager =
  'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.'

it.each([
  ['GET', '/swarm', undefined, 503, notManager],
  ['GET', '/swarm/unlockkey', undefined, 503, notManager],
  ['POST', '/swarm/init', {}, 400, 'invalid ListenAddr "": invalid empty address'],
  ['POST', '/swarm/join', '{bad', 400, expect.stringContaining('invalid JSON')],
  ['POST', '/swarm/init', { ListenAddr: '0.0.0.0:2377' }, 503, expect.stringContaining('one machine')],
  ['POST', '/swarm/leave?force=1', undefined, 503, 'This node is not part of a swarm'],
  ['POST', '/swarm/unlock', {}, 503, notManager],
  ['POST', '/swarm/update?version=1', {}, 503, notManager],
  ['POST', '/swarm/update', {}, 400, expect.stringContaining("invalid swarm version ''")],
  ['GET', '/v1.30/nodes/x', undefined, 503, notManager],
  ['DELETE', '/nodes/x', undefined, 503, notManager],
  ['POST', '/nodes/x/update?version=x', {}, 400, expect.stringContaining("invalid node version 'x'")],
  ['POST', '/services/create', {}, 503, notManager],
  ['POST', '/services/x/update?version=3', {}, 503, notManager],
  ['GET', '/services/x/logs', undefined, 500, 'Bad parameters: you must choose at least one stream'],
  ['GET', '/tasks/x/logs?stdout=1', undefined, 503, notManager],
  ['GET', '/tasks', undefined, 503, notManager],
  ['POST', '/tasks/create', {}, 404, 'page not found'],
  ['POST', '/nodes/create', {}, 404, 'page not found'],
  ['POST', '/secrets/create', {}, 503, notManager],
  ['POST', '/configs/x/update', {}, 400, 'invalid config version'],
  ['PUT', '/volumes/x', {}, 503, notManager],
  ['GET', '/plugins?filters={"nonsense":["x"]}', undefined, 400, "invalid filter 'nonsense'"],
  ['GET', '/plugins/a/b:1/json', undefined, 404, 'plugin "a/b:1" not found'],
  ['POST', '/plugins/x/enable?timeout=0', undefined, 404, 'plugin "x" not found'],
  ['POST', '/plugins/x/enable', undefined, 400, expect.stringContaining('strconv.Atoi')],
  ['POST', '/plugins/x/disable', undefined, 404, 'plugin "x" not found'],
  ['DELETE', '/plugins/x', undefined, 404, 'plugin "x" not found'],
  ['POST', '/plugins/pull?remote=x', [], 501, expect.stringContaining('can’t be installed')],
  ['GET', '/containers/x/checkpoints', undefined, 501, expect.stringContaining('experimental')],
  ['DELETE', '/containers/x/checkpoints/y', undefined, 501, expect.stringContaining('experimental')],
  ['POST', '/session', undefined, 400, 'no upgrade proto in request'],
  ['POST', '/build/cancel', undefined, 500, 'build ID not provided'],
] as const)('%s %s', async (method, path, body, status, message) => {
  const { socketPath } = await startDockerServer()
  const headers = { 'content-type': 'application/json' }
  const answer = await unixFetch(socketPath, method, encodeURI(path), {
    ...(body !== undefined && { body, headers }),
  })
  expect([answer.status, answer.json()]).toEqual([status, { message }])
})
