import { buildHandlers } from './build.ts'
import { containerStreamHandlers } from './container-streams.ts'
import { containerHandlers } from './containers.ts'
import { eventHandlers } from './events.ts'
import { execHandlers } from './exec.ts'
import { imageHandlers } from './images.ts'
import { networkHandlers } from './networks.ts'
import { statsHandlers } from './stats.ts'
import { systemHandlers } from './system.ts'
import type { DockerHandler, DockerServices } from './types.ts'
import { volumeHandlers } from './volumes.ts'

type Route = readonly [method: 'GET' | 'POST' | 'DELETE', path: string, handler: DockerHandler]

/** Docker's API, without the version's prefix. What is fixed comes before what has a name in it. */
export function dockerRoutes(services: DockerServices): Route[] {
  const system = systemHandlers(services)
  const { streamEvents } = eventHandlers(services)
  const container = containerHandlers(services)
  const stream = containerStreamHandlers(services)
  const { containerStats } = statsHandlers(services)
  const exec = execHandlers(services)
  const image = imageHandlers(services)
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
    ['POST', '/build', buildImage],
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
    ['DELETE', '/volumes/:name', volume.deleteVolume],

    ['GET', '/plugins', system.listPlugins],
    ['GET', '/plugins/:name{.+}/json', system.inspectPlugin],
    ...['/swarm', '/nodes', '/services', '/tasks', '/secrets', '/configs'].flatMap((path): Route[] => [
      ['GET', path, system.noSwarm],
      ['GET', `${path}/:rest{.+}`, system.noSwarm],
    ]),
  ]
}

/** Requests that take the connection over though old clients ask for no upgrade. */
export function isDockerHijack(method: string, path: string): boolean {
  return method === 'POST' && /^(\/v\d+\.\d+)?\/(containers\/.+\/attach|exec\/[^/]+\/start)$/.test(path)
}
