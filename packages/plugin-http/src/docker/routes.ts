import { archiveHandlers } from './archives.ts'
import { attachWebSocketHandlers } from './attach-ws.ts'
import { buildHandlers } from './build.ts'
import { commitHandlers } from './commit.ts'
import { containerStreamHandlers } from './container-streams.ts'
import { containerHandlers } from './containers.ts'
import { distributionHandlers } from './distribution.ts'
import { eventHandlers } from './events.ts'
import { execHandlers } from './exec.ts'
import { imageHandlers } from './images.ts'
import { networkHandlers } from './networks.ts'
import { pluginHandlers } from './plugins.ts'
import { statsHandlers } from './stats.ts'
import { swarmRoutes } from './swarm.ts'
import { systemHandlers } from './system.ts'
import type { DockerHandler, DockerServices } from './types.ts'
import { unsupportedHandlers } from './unsupported.ts'
import { splitVersion } from './versions.ts'
import { volumeHandlers } from './volumes.ts'

type Route = readonly [method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, handler: DockerHandler]

/** Docker's API, without the version's prefix. What is fixed comes before what has a name in it. */
export function dockerRoutes(services: DockerServices): Route[] {
  const system = systemHandlers(services)
  const { streamEvents } = eventHandlers(services)
  const container = containerHandlers(services)
  const stream = containerStreamHandlers(services)
  const { containerStats } = statsHandlers(services)
  const exec = execHandlers(services)
  const image = imageHandlers(services)
  const archive = archiveHandlers(services)
  const { attachWebSocket } = attachWebSocketHandlers(services)
  const { commitContainer } = commitHandlers(services)
  const { inspectDistribution } = distributionHandlers(services)
  const plugin = pluginHandlers()
  const unsupported = unsupportedHandlers()
  const { buildImage, pruneBuild } = buildHandlers(services)
  const network = networkHandlers(services)
  const volume = volumeHandlers(services)
  return [
    ['GET', '/_ping', system.ping],
    ['GET', '/version', system.showVersion],
    ['GET', '/info', system.showInfo],
    ['GET', '/system/df', system.diskUsage],
    ['POST', '/auth', system.checkAuth],
    ['GET', '/events', streamEvents],

    ['GET', '/containers/json', container.listContainers],
    ['GET', '/containers/ps', container.listContainers],
    ['POST', '/containers/create', container.createContainer],
    ['POST', '/containers/prune', container.pruneContainers],
    ['GET', '/containers/:id{.+}/json', container.inspectContainer],
    ['GET', '/containers/:id{.+}/logs', stream.containerLogs],
    ['GET', '/containers/:id{.+}/stats', containerStats],
    ['GET', '/containers/:id{.+}/top', container.topContainer],
    ['POST', '/containers/:id{.+}/attach', stream.attachContainer],
    ['POST', '/containers/:id{.+}/exec', exec.createExec],
    ['POST', '/containers/:id{.+}/kill', container.killContainer],
    ['POST', '/containers/:id{.+}/pause', container.pauseContainer],
    ['POST', '/containers/:id{.+}/rename', container.renameContainer],
    ['POST', '/containers/:id{.+}/resize', container.resizeContainer],
    ['POST', '/containers/:id{.+}/restart', container.restartContainer],
    ['POST', '/containers/:id{.+}/start', container.startContainer],
    ['POST', '/containers/:id{.+}/stop', container.stopContainer],
    ['POST', '/containers/:id{.+}/unpause', container.unpauseContainer],
    ['POST', '/containers/:id{.+}/update', container.updateContainer],
    ['POST', '/containers/:id{.+}/wait', stream.waitContainer],
    ['GET', '/containers/:id{.+}/archive', archive.getArchive],
    ['PUT', '/containers/:id{.+}/archive', archive.putArchive],
    ['GET', '/containers/:id{.+}/attach/ws', attachWebSocket],
    ['GET', '/containers/:id{.+}/changes', archive.containerChanges],
    ['GET', '/containers/:id{.+}/export', archive.exportContainer],
    ['GET', '/containers/:id{.+}/checkpoints', unsupported.checkpoints],
    ['POST', '/containers/:id{.+}/checkpoints', unsupported.checkpoints],
    ['DELETE', '/containers/:id{.+}/checkpoints/:checkpoint', unsupported.checkpoints],
    ['DELETE', '/containers/:id{.+}', container.deleteContainer],

    ['GET', '/exec/:id/json', exec.inspectExec],
    ['POST', '/exec/:id/start', exec.startExec],
    ['POST', '/exec/:id/resize', exec.resizeExec],

    ['GET', '/images/json', image.listImages],
    ['GET', '/images/get', image.getImages],
    ['GET', '/images/search', image.searchImages],
    ['POST', '/images/create', image.createImage],
    ['POST', '/images/load', image.loadImages],
    ['POST', '/images/prune', image.pruneImages],
    ['GET', '/images/:name{.+}/get', image.getImage],
    ['GET', '/images/:name{.+}/history', image.imageHistory],
    ['GET', '/images/:name{.+}/json', image.inspectImage],
    ['POST', '/images/:name{.+}/push', image.pushImage],
    ['POST', '/images/:name{.+}/tag', image.tagImage],
    ['DELETE', '/images/:name{.+}', image.deleteImage],
    ['POST', '/commit', commitContainer],
    ['POST', '/build', buildImage],
    ['POST', '/build/cancel', unsupported.cancelBuild],
    ['POST', '/build/prune', pruneBuild],

    ['GET', '/networks', network.listNetworks],
    ['GET', '/networks/json', network.listNetworks],
    ['POST', '/networks/create', network.createNetwork],
    ['POST', '/networks/prune', network.pruneNetworks],
    ['GET', '/networks/:id', network.inspectNetwork],
    ['POST', '/networks/:id/connect', network.connectNetwork],
    ['POST', '/networks/:id/disconnect', network.disconnectNetwork],
    ['DELETE', '/networks/:id', network.deleteNetwork],

    ['GET', '/volumes', volume.listVolumes],
    ['POST', '/volumes/create', volume.createVolume],
    ['POST', '/volumes/prune', volume.pruneVolumes],
    ['GET', '/volumes/:name', volume.inspectVolume],
    ['PUT', '/volumes/:name', volume.updateVolume],
    ['DELETE', '/volumes/:name', volume.deleteVolume],

    ['GET', '/plugins', plugin.listPlugins],
    ['GET', '/plugins/privileges', plugin.refusePlugin],
    ['POST', '/plugins/pull', plugin.refusePlugin],
    ['POST', '/plugins/create', plugin.refusePlugin],
    ['GET', '/plugins/:name{.+}/json', plugin.noPlugin],
    ['POST', '/plugins/:name{.+}/enable', plugin.enablePlugin],
    ...['disable', 'push', 'set', 'upgrade'].map(
      (action): Route => ['POST', `/plugins/:name{.+}/${action}`, plugin.noPlugin],
    ),
    ['DELETE', '/plugins/:name{.+}', plugin.noPlugin],

    ['GET', '/distribution/:name{.+}/json', inspectDistribution],
    ['POST', '/session', unsupported.openSession],
    ['POST', '/grpc', unsupported.openSession],
    ...swarmRoutes(),
  ]
}

/** Requests that take the connection over though old clients ask for no upgrade; and WebSockets. */
export function isDockerHijack(method: string, path: string): boolean {
  const { rest } = splitVersion(path)
  if (method === 'GET') return /^\/containers\/.+\/attach\/ws$/.test(rest)
  return method === 'POST' && /^\/(containers\/.+\/attach|exec\/[^/]+\/start)$/.test(rest)
}
