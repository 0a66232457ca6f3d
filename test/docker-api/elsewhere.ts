/** Swarm, plugins and debugging, on an engine in no swarm. @module */
import { type Case, it, missing, notes } from './case.ts'

export function elsewhere(): Case[] {
  const update = ['nodes', 'services', 'secrets', 'configs'].flatMap((kind) => [
    it('POST', `/${kind}/{id}/update`, '', { path: `/${kind}/x/update?version=1`, body: {} }),
    it('POST', `/${kind}/{id}/update`, 'no version', { path: `/${kind}/x/update`, body: {} }),
    it('DELETE', `/${kind}/{id}`, '', { path: `/${kind}/x` }),
  ])
  const read = ['nodes', 'services', 'tasks', 'secrets', 'configs'].flatMap((kind) => [
    it('GET', `/${kind}`, ''),
    it('GET', `/${kind}/{id}`, '', { path: `/${kind}/x` }),
  ])
  const make = ['services', 'secrets', 'configs'].flatMap((kind) => [
    it('POST', `/${kind}/create`, '', { body: {} }),
    it('POST', `/${kind}/create`, notes.json, { body: '{bad' }),
  ])
  return [
    it('GET', '/swarm', ''),
    it('GET', '/swarm/unlockkey', ''),
    it('POST', '/swarm/init', 'no address', { body: {} }),
    it('POST', '/swarm/init', notes.json, { body: '{bad' }),
    it('POST', '/swarm/join', 'no address', { body: {} }),
    it('POST', '/swarm/leave', ''),
    it('POST', '/swarm/unlock', '', { body: {} }),
    it('POST', '/swarm/update', '', { path: '/swarm/update?version=1', body: {} }),
    it('POST', '/swarm/update', 'no version', { body: {} }),
    ...read,
    ...update,
    ...make,
    it('GET', '/services/{id}/logs', '', { path: '/services/x/logs?stdout=1' }),
    it('GET', '/services/{id}/logs', 'no stream', { path: '/services/x/logs' }),
    it('GET', '/tasks/{id}/logs', '', { path: '/tasks/x/logs?stdout=1' }),
    it('GET', '/plugins', ''),
    it('GET', '/plugins', notes.filter, { path: '/plugins?filters={"nonsense":["x"]}' }),
    missing('GET', '/plugins/{name}/json'),
    ...['disable', 'push'].map((action) => missing('POST', `/plugins/{name}/${action}`)),
    missing('POST', '/plugins/{name}/enable', { path: '?timeout=0' }),
    it('POST', '/plugins/{name}/enable', 'no timeout', { path: '/plugins/x/enable' }),
    missing('POST', '/plugins/{name}/set', { body: [] }),
    missing('POST', '/plugins/{name}/upgrade', { path: '?remote=127.0.0.1:1/y', body: [] }),
    missing('DELETE', '/plugins/{name}'),
    it('GET', '/plugins/privileges', 'no registry', { path: '/plugins/privileges?remote=127.0.0.1:1/x' }),
    it('POST', '/plugins/pull', 'no registry', { path: '/plugins/pull?remote=127.0.0.1:1/x', body: [] }),
    it('POST', '/plugins/create', 'no content', { path: '/plugins/create?name=x' }),
    ...['/debug/vars', '/debug/pprof/', '/debug/pprof/cmdline', '/debug/pprof/symbol'].map((path) =>
      it('GET', path, ''),
    ),
    it('PUT', '/volumes/{name}', '', { path: '/volumes/x', body: {} }),
    it('GET', '/images/{name}/attestations', '', { path: '/images/x/attestations' }),
  ]
}
