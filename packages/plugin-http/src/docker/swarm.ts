import { failed, invalid, unavailable } from '@kernel/contracts'
import { readJson } from './json.ts'
import { boolQuery } from './queries.ts'
import type { DockerContext, DockerHandler } from './types.ts'

type SwarmRoute = readonly [method: 'GET' | 'POST' | 'DELETE', path: string, handler: DockerHandler]

/**
 * The swarm's endpoints on a node that is in no swarm: what dockerd answers there. Requests are checked first as
 * it does, so that a mistake is called one. Source: moby, `daemon/server/router/swarm/cluster_routes.go`.
 */
export function swarmRoutes(): SwarmRoute[] {
  return [
    ['GET', '/swarm', noSwarm],
    ['POST', '/swarm/init', refuseToJoin],
    ['POST', '/swarm/join', refuseToJoin],
    ['POST', '/swarm/leave', leaveSwarm],
    ['POST', '/swarm/update', updateOf('swarm')],
    ['GET', '/swarm/unlockkey', noSwarm],
    ['POST', '/swarm/unlock', withBody],
    ...['nodes', 'services', 'tasks', 'secrets', 'configs'].flatMap((kind): SwarmRoute[] => [
      ['GET', `/${kind}`, noSwarm],
      ['GET', `/${kind}/:id`, noSwarm],
      ...(kind === 'tasks' ? [] : changes(kind)),
    ]),
    ['GET', '/services/:id/logs', logs],
    ['GET', '/tasks/:id/logs', logs],
  ]
}

function changes(kind: string): SwarmRoute[] {
  return [
    ['DELETE', `/${kind}/:id`, noSwarm],
    ['POST', `/${kind}/:id/update`, updateOf(kind.replace(/s$/, ''))],
    ...(kind === 'nodes' ? [] : ([['POST', `/${kind}/create`, withBody]] as SwarmRoute[])),
  ]
}

function noSwarm(): never {
  throw unavailable(
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
  )
}

function leaveSwarm(): never {
  throw unavailable('This node is not part of a swarm')
}

/** A swarm would be answered by what can't be done here, once the request makes sense. */
async function refuseToJoin(context: DockerContext): Promise<never> {
  const body = (await readJson(context.req.raw)) as { ListenAddr?: unknown } | null
  const address = typeof body?.ListenAddr === 'string' ? body.ListenAddr : ''
  if (address === '') throw invalid('invalid ListenAddr "": invalid empty address')
  throw unavailable('This engine is not able to form or join a swarm: it runs containers on one machine')
}

async function withBody(context: DockerContext): Promise<never> {
  await readJson(context.req.raw)
  return noSwarm()
}

/** The version of the object that was read before is in the query. */
function updateOf(kind: string): DockerHandler {
  return async (context) => {
    await readJson(context.req.raw)
    const version = context.req.query('version') ?? ''
    if (!/^\d{1,20}$/.test(version))
      throw invalid(
        kind === 'config' || kind === 'secret'
          ? `invalid ${kind} version`
          : `invalid ${kind} version '${version}': strconv.ParseUint: parsing ${JSON.stringify(version)}: invalid syntax`,
      )
    return noSwarm()
  }
}

function logs(context: DockerContext): never {
  if (!boolQuery(context, 'stdout') && !boolQuery(context, 'stderr'))
    throw failed('Bad parameters: you must choose at least one stream')
  return noSwarm()
}
