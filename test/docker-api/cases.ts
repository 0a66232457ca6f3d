/**
 * The calls that both engines get, in this order: each endpoint with good and bad requests. What an answer says of
 * itself (an id) is kept under a name and stands for `{name}` in later calls.
 * @module
 */
import type { Call } from './call.ts'

export interface Case extends Omit<Call, 'path' | 'body'> {
  /** As in the API's own list: `/containers/{id}/json`. */
  endpoint: string
  /** What is special about it; empty: it is the plain good call. */
  note: string
  path: string
  body?: unknown
  /** Keeps a field of the answer: name -> field. */
  keep?: Record<string, string>
  /** Bodies are bytes, or differ by nature. */
  ignoreBody?: boolean
  /** The body is a stream of JSON objects, however many they are. */
  stream?: boolean
  /** In place of the version that the run is about. */
  version?: string
}

export const image = 'busybox:e2e'
/** A tar with one file, and a whole image archive, are given as `{tar}` and `{archive}`. */
export type Fixtures = Record<'tar' | 'archive' | 'context', Buffer>

const notes = {
  unknown: 'unknown name',
  json: 'bad JSON',
  empty: 'no body',
  filter: 'unknown filter',
  badFilter: 'filter is no JSON',
}

/** One line a call: method, endpoint, note, then what differs from the endpoint's own path. */
function it(
  method: string,
  endpoint: string,
  note: string,
  rest: Partial<Omit<Case, 'method' | 'endpoint' | 'note'>> = {},
): Case {
  return { method, endpoint, note, path: endpoint, ...rest }
}

const missing = (method: string, endpoint: string, rest: Partial<Case> = {}) =>
  it(method, endpoint, notes.unknown, {
    path: endpoint.replace(/\{(id|name)\}/, 'nobody') + (rest.path ?? ''),
    ...(rest.body !== undefined && { body: rest.body }),
  })

const create = (note: string, name: string, body: unknown, rest: Partial<Case> = {}) =>
  it('POST', '/containers/create', note, { path: `/containers/create?name=${name}`, body, ...rest })

/** One that is to be refused; its name is its own, in case that it is not. */
const refused = (note: string, body: unknown) => create(note, note.toLowerCase().replace(/\W+/g, '-'), body)

/** As above, for what a HostConfig can have wrong. */
const refusedHost = (note: string, HostConfig: object) => refused(note, { ...sleeper, HostConfig })

const sleeper = { Image: image, Cmd: ['sleep', '600'], Labels: { team: 'a' } }
const on = (endpoint: string, name: string, query = '') => ({
  path: endpoint.replace(/\{(id|name)\}/, name) + query,
})
const c = '/containers/{id}'

export function cases({ tar, archive, context }: Fixtures): Case[] {
  return [
    it('GET', '/_ping', ''),
    it('HEAD', '/_ping', ''),
    it('GET', '/version', ''),
    it('GET', '/info', ''),
    it('POST', '/auth', 'bad JSON', { body: '{bad' }),
    it('GET', '/info', 'version too new', { version: '1.99' }),
    it('GET', '/info', 'version too old', { version: '1.5' }),
    it('GET', '/nowhere', 'unknown path'),
    it('POST', '/containers/json', 'wrong method'),

    it('POST', '/images/load', '', { body: archive, stream: true }),
    it('POST', '/images/load', 'no tar', { body: Buffer.from('this is no tar'.repeat(100)) }),
    it('GET', '/images/json', ''),
    it('GET', '/images/json', 'all, by reference', {
      path: '/images/json?all=1&filters={"reference":["busybox*"]}',
    }),
    it('GET', '/images/json', notes.filter, { path: '/images/json?filters={"nonsense":["x"]}' }),
    it('GET', '/images/json', notes.badFilter, { path: '/images/json?filters=x' }),
    it('GET', '/images/{name}/json', '', { ...on('/images/{name}/json', image), keep: { image: 'Id' } }),
    it('GET', '/images/{name}/json', 'by id', on('/images/{name}/json', '{image}')),
    missing('GET', '/images/{name}/json'),
    it('GET', '/images/{name}/history', '', on('/images/{name}/history', image)),
    missing('GET', '/images/{name}/history'),
    it('POST', '/images/{name}/tag', '', on('/images/{name}/tag', image, '?repo=tagged&tag=1')),
    it('POST', '/images/{name}/tag', 'bad name', on('/images/{name}/tag', image, '?repo=UPPER')),
    missing('POST', '/images/{name}/tag', { path: '?repo=x' }),
    it('GET', '/images/{name}/get', '', { ...on('/images/{name}/get', image), ignoreBody: true }),
    missing('GET', '/images/{name}/get'),
    it('GET', '/images/get', '', { path: `/images/get?names=${image}&names=tagged:1`, ignoreBody: true }),
    it('GET', '/images/get', notes.unknown, { path: '/images/get?names=nobody' }),
    it('DELETE', '/images/{name}', '', on('/images/{name}', 'tagged:1')),
    missing('DELETE', '/images/{name}'),
    it('POST', '/images/create', 'import', {
      path: '/images/create?fromSrc=-&repo=imported&tag=1',
      body: tar,
    }),
    it('POST', '/images/create', 'pull from nowhere', {
      path: '/images/create?fromImage=127.0.0.1:1/x&tag=1',
    }),
    it('POST', '/images/create', 'bad name', { path: '/images/create?fromImage=UPPER&tag=1' }),
    it('POST', '/images/{name}/push', 'to nowhere', {
      ...on('/images/{name}/push', '127.0.0.1:1/x', '?tag=1'),
      headers: { 'X-Registry-Auth': 'e30=' },
    }),
    it('GET', '/images/search', 'no index', { path: '/images/search?term=x' }),
    it('GET', '/distribution/{name}/json', 'no registry', { path: '/distribution/127.0.0.1:1/x/json' }),
    it('GET', '/distribution/{name}/json', 'bad name', { path: '/distribution/UPPER/json' }),
    it('POST', '/images/prune', '', { path: '/images/prune?filters={"dangling":["true"]}' }),
    it('POST', '/images/prune', notes.filter, { path: '/images/prune?filters={"nonsense":["x"]}' }),

    create('', 'c1', sleeper, { keep: { c1: 'Id' } }),
    create('name taken', 'c1', sleeper),
    create('bad name', 'x!', sleeper),
    refused('unknown image', { Image: 'nobody' }),
    refused('no image', {}),
    refused(notes.json, '{bad'),
    refused(notes.empty, undefined),
    refused('wrong type', { Image: image, Cmd: 7 }),
    refused('no command', { Image: 'imported:1' }),
    refusedHost('unknown network', { NetworkMode: 'nobody' }),
    refusedHost('too little memory', { Memory: 1 }),
    refusedHost('too many processors', { NanoCpus: 10 ** 15 }),
    refusedHost('bad restart policy', { RestartPolicy: { Name: 'sometimes' } }),
    refusedHost('restart and remove', { RestartPolicy: { Name: 'always' }, AutoRemove: true }),
    refusedHost('bad bind', { Binds: ['a:b:c:d'] }),
    refusedHost('missing bind source', { Mounts: [{ Type: 'bind', Source: '/no/such', Target: '/x' }] }),
    refusedHost('mount twice', { Binds: ['/tmp:/x', '/var:/x'] }),
    refusedHost('bad capability', { CapAdd: ['NONSENSE'] }),
    refusedHost('bad security option', { SecurityOpt: ['nonsense=1'] }),
    refusedHost('bad ulimit', { Ulimits: [{ Name: 'nofile', Soft: 9, Hard: 1 }] }),
    refusedHost('bad log driver', { LogConfig: { Type: 'nonsense' } }),
    refusedHost('bad log option', { LogConfig: { Type: 'json-file', Config: { nonsense: '1' } } }),
    refusedHost('bad PID mode', { PidMode: 'nonsense' }),
    refusedHost('bad IPC mode', { IpcMode: 'nonsense' }),
    refusedHost('bad UTS mode', { UTSMode: 'nonsense' }),
    refusedHost('bad user namespace', { UsernsMode: 'nonsense' }),
    refusedHost('bad cgroup namespace', { CgroupnsMode: 'nonsense' }),
    refusedHost('PID of unknown container', { PidMode: 'container:nobody' }),
    refusedHost('volumes from unknown container', { VolumesFrom: ['nobody'] }),
    refusedHost('link to unknown container', { Links: ['nobody:x'] }),
    refusedHost('bad extra host', { ExtraHosts: ['nonsense'] }),
    refusedHost('bad DNS server', { Dns: ['nonsense'] }),
    refused('bad stop signal', { ...sleeper, StopSignal: 'NONSENSE' }),
    refused('bad health check', { ...sleeper, Healthcheck: { Test: ['CMD', 'true'], Interval: 1 } }),
    refusedHost('unknown runtime', { Runtime: 'nonsense' }),
    refusedHost('bad port', { PortBindings: { '80/tcp': [{ HostPort: 'x' }] } }),
    refused('relative working directory', { ...sleeper, WorkingDir: 'x' }),
    refusedHost('bad swappiness', { MemorySwappiness: 1000 }),
    refusedHost('bad OOM score', { OomScoreAdj: 5000 }),
    refusedHost('bad CPU set', { CpusetCpus: '900' }),
    refusedHost('bad shm size', { ShmSize: -1 }),

    it('GET', '/containers/json', 'all', { path: '/containers/json?all=1&size=1' }),
    it('GET', '/containers/json', 'running', { path: '/containers/json' }),
    it('GET', '/containers/json', notes.filter, { path: '/containers/json?filters={"nonsense":["x"]}' }),
    it('GET', '/containers/json', notes.badFilter, { path: '/containers/json?filters=x' }),
    it('GET', '/containers/json', 'bad status', { path: '/containers/json?filters={"status":["nonsense"]}' }),
    it('GET', '/containers/json', 'bad limit', { path: '/containers/json?limit=x' }),
    it('GET', `${c}/json`, 'created', on(`${c}/json`, 'c1')),
    it('GET', `${c}/json`, 'with size', on(`${c}/json`, 'c1', '?size=1')),
    missing('GET', `${c}/json`),
    it('POST', `${c}/resize`, 'not running', on(`${c}/resize`, 'c1', '?h=1&w=1')),
    it('GET', `${c}/top`, 'not running', on(`${c}/top`, 'c1')),
    it('POST', `${c}/kill`, 'not running', on(`${c}/kill`, 'c1')),
    it('POST', `${c}/pause`, 'not running', on(`${c}/pause`, 'c1')),
    it('POST', `${c}/unpause`, 'not running', on(`${c}/unpause`, 'c1')),
    it('POST', `${c}/stop`, 'not running', on(`${c}/stop`, 'c1')),
    it('POST', `${c}/exec`, 'not running', { ...on(`${c}/exec`, 'c1'), body: { Cmd: ['true'] } }),
    it('GET', `${c}/stats`, 'not running', on(`${c}/stats`, 'c1', '?stream=0')),
    it('POST', `${c}/start`, '', on(`${c}/start`, 'c1')),
    it('POST', `${c}/start`, 'runs already', on(`${c}/start`, 'c1')),
    missing('POST', `${c}/start`),
    it('GET', `${c}/json`, 'running', on(`${c}/json`, 'c1')),
    it('GET', '/containers/json', '', { path: '/containers/json' }),
    it('GET', `${c}/top`, '', on(`${c}/top`, 'c1')),
    it('GET', `${c}/top`, 'bad arguments', on(`${c}/top`, 'c1', '?ps_args=-nonsense')),
    missing('GET', `${c}/top`),
    it('GET', `${c}/stats`, 'once', on(`${c}/stats`, 'c1', '?stream=0&one-shot=1')),
    it('GET', `${c}/stats`, 'twice', on(`${c}/stats`, 'c1', '?stream=0')),
    it('GET', `${c}/stats`, 'stream', { ...on(`${c}/stats`, 'c1'), until: 'first-data' }),
    missing('GET', `${c}/stats`),
    it('GET', `${c}/logs`, '', { ...on(`${c}/logs`, 'c1', '?stdout=1'), ignoreBody: true }),
    it('GET', `${c}/logs`, 'no stream', on(`${c}/logs`, 'c1')),
    missing('GET', `${c}/logs`, { path: '?stdout=1' }),
    it('POST', `${c}/resize`, '', on(`${c}/resize`, 'c1', '?h=24&w=80')),
    it('POST', `${c}/resize`, 'no size', on(`${c}/resize`, 'c1')),
    missing('POST', `${c}/resize`, { path: '?h=1&w=1' }),
    it('POST', `${c}/pause`, '', on(`${c}/pause`, 'c1')),
    it('POST', `${c}/pause`, 'paused already', on(`${c}/pause`, 'c1')),
    it('POST', `${c}/exec`, 'paused', { ...on(`${c}/exec`, 'c1'), body: { Cmd: ['true'] } }),
    it('GET', `${c}/json`, 'paused', on(`${c}/json`, 'c1')),
    it('POST', `${c}/unpause`, '', on(`${c}/unpause`, 'c1')),
    it('POST', `${c}/unpause`, 'not paused', on(`${c}/unpause`, 'c1')),
    missing('POST', `${c}/pause`),
    missing('POST', `${c}/unpause`),
    it('POST', `${c}/update`, '', { ...on(`${c}/update`, 'c1'), body: { CpuShares: 512 } }),
    it('POST', `${c}/update`, notes.json, { ...on(`${c}/update`, 'c1'), body: '{bad' }),
    it('POST', `${c}/update`, 'too little memory', { ...on(`${c}/update`, 'c1'), body: { Memory: 1 } }),
    missing('POST', `${c}/update`, { body: {} }),
    it('POST', `${c}/rename`, '', on(`${c}/rename`, 'c1', '?name=c1b')),
    it('POST', `${c}/rename`, 'back', on(`${c}/rename`, 'c1b', '?name=c1')),
    it('POST', `${c}/rename`, 'no name', on(`${c}/rename`, 'c1')),
    it('POST', `${c}/rename`, 'bad name', on(`${c}/rename`, 'c1', '?name=x!')),
    missing('POST', `${c}/rename`, { path: '?name=x' }),
    create('', 'other', sleeper),
    it('POST', `${c}/rename`, 'name taken', on(`${c}/rename`, 'other', '?name=c1')),

    it('GET', `${c}/archive`, 'a file', {
      ...on(`${c}/archive`, 'c1', '?path=/etc/passwd'),
      ignoreBody: true,
    }),
    it('HEAD', `${c}/archive`, 'a file', on(`${c}/archive`, 'c1', '?path=/etc/passwd')),
    it('HEAD', `${c}/archive`, 'no path', on(`${c}/archive`, 'c1')),
    it('HEAD', `${c}/archive`, 'no such file', on(`${c}/archive`, 'c1', '?path=/nope')),
    it('GET', `${c}/archive`, 'no path', on(`${c}/archive`, 'c1')),
    it('GET', `${c}/archive`, 'no such file', on(`${c}/archive`, 'c1', '?path=/nope')),
    it('GET', `${c}/archive`, 'file as folder', on(`${c}/archive`, 'c1', '?path=/etc/passwd/')),
    missing('GET', `${c}/archive`, { path: '?path=/' }),
    missing('HEAD', `${c}/archive`, { path: '?path=/' }),
    it('PUT', `${c}/archive`, '', { ...on(`${c}/archive`, 'c1', '?path=/tmp'), body: tar }),
    it('PUT', `${c}/archive`, 'no such folder', { ...on(`${c}/archive`, 'c1', '?path=/nope'), body: tar }),
    it('PUT', `${c}/archive`, 'into a file', { ...on(`${c}/archive`, 'c1', '?path=/etc/passwd'), body: tar }),
    it('PUT', `${c}/archive`, 'no path', { ...on(`${c}/archive`, 'c1'), body: tar }),
    it('PUT', `${c}/archive`, 'no tar', {
      ...on(`${c}/archive`, 'c1', '?path=/tmp'),
      body: Buffer.from('x'.repeat(1000)),
    }),
    missing('PUT', `${c}/archive`, { path: '?path=/', body: tar }),
    it('GET', `${c}/changes`, '', on(`${c}/changes`, 'c1')),
    it('GET', `${c}/changes`, 'none', on(`${c}/changes`, 'other')),
    missing('GET', `${c}/changes`),
    it('GET', `${c}/export`, '', { ...on(`${c}/export`, 'c1'), ignoreBody: true }),
    missing('GET', `${c}/export`),
    it('POST', '/commit', '', { path: '/commit?container=c1&repo=committed&tag=1', body: {} }),
    it('POST', '/commit', 'bad change', { path: '/commit?container=c1&changes=RUN+x', body: {} }),
    it('POST', '/commit', 'bad name', { path: '/commit?container=c1&repo=UPPER', body: {} }),
    it('POST', '/commit', 'no container', { body: {} }),
    it('POST', '/commit', notes.unknown, { path: '/commit?container=nobody', body: {} }),
    it('POST', '/commit', notes.json, { path: '/commit?container=c1', body: '{bad' }),
    it('GET', `${c}/attach/ws`, 'no handshake', on(`${c}/attach/ws`, 'c1', '?stream=1')),
    missing('GET', `${c}/attach/ws`),
    it('POST', `${c}/attach`, '', {
      ...on(`${c}/attach`, 'c1', '?stream=1&stdout=1'),
      headers: { Connection: 'Upgrade', Upgrade: 'tcp' },
    }),
    missing('POST', `${c}/attach`, { path: '?stream=1' }),

    it('POST', `${c}/exec`, '', {
      ...on(`${c}/exec`, 'c1'),
      body: { Cmd: ['echo', 'hi'], AttachStdout: true },
      keep: { exec: 'Id' },
    }),
    it('POST', `${c}/exec`, 'no command', { ...on(`${c}/exec`, 'c1'), body: {} }),
    it('POST', `${c}/exec`, notes.json, { ...on(`${c}/exec`, 'c1'), body: '{bad' }),
    missing('POST', `${c}/exec`, { body: { Cmd: ['true'] } }),
    it('GET', '/exec/{id}/json', 'before its start', on('/exec/{id}/json', '{exec}')),
    missing('GET', '/exec/{id}/json'),
    it('POST', '/exec/{id}/start', 'detached', {
      ...on('/exec/{id}/start', '{exec}'),
      body: { Detach: true },
    }),
    missing('POST', '/exec/{id}/start', { body: { Detach: true } }),
    it('POST', '/exec/{id}/start', notes.json, { ...on('/exec/{id}/start', '{exec}'), body: '{bad' }),
    missing('POST', '/exec/{id}/resize', { path: '?h=1&w=1' }),
    it('POST', '/exec/{id}/resize', 'no size', on('/exec/{id}/resize', '{exec}')),

    it('POST', `${c}/kill`, 'bad signal', on(`${c}/kill`, 'c1', '?signal=NONSENSE')),
    missing('POST', `${c}/kill`),
    it('POST', `${c}/stop`, '', on(`${c}/stop`, 'c1', '?t=0')),
    it('POST', `${c}/stop`, 'stopped already', on(`${c}/stop`, 'c1', '?t=0')),
    it('POST', `${c}/stop`, 'bad time', on(`${c}/stop`, 'c1', '?t=x')),
    missing('POST', `${c}/stop`),
    it('POST', `${c}/wait`, 'stopped', on(`${c}/wait`, 'c1')),
    missing('POST', `${c}/wait`),
    it('GET', `${c}/json`, 'stopped', on(`${c}/json`, 'c1')),
    it('POST', `${c}/restart`, '', on(`${c}/restart`, 'c1', '?t=0')),
    missing('POST', `${c}/restart`),
    it('POST', `${c}/kill`, '', on(`${c}/kill`, 'c1', '?signal=KILL')),
    it('POST', `${c}/wait`, '', on(`${c}/wait`, 'c1')),
    it('GET', `${c}/checkpoints`, '', on(`${c}/checkpoints`, 'c1')),
    it('POST', `${c}/checkpoints`, '', { ...on(`${c}/checkpoints`, 'c1'), body: { CheckpointID: 'x' } }),
    it('DELETE', `${c}/checkpoints/{checkpoint}`, '', on(`${c}/checkpoints/x`, 'c1')),
    create('program is missing', 'c3', { Image: image, Cmd: ['no-such-program'] }),
    it('POST', `${c}/start`, 'program is missing', on(`${c}/start`, 'c3')),
    it('GET', `${c}/json`, 'not startable', on(`${c}/json`, 'c3')),

    it('GET', '/networks', ''),
    it('GET', '/networks', notes.filter, { path: '/networks?filters={"nonsense":["x"]}' }),
    it('GET', '/networks', notes.badFilter, { path: '/networks?filters=x' }),
    it('POST', '/networks/create', '', {
      body: { Name: 'n1', CheckDuplicate: true, IPAM: { Config: [{ Subnet: '10.213.90.0/24' }] } },
      keep: { n1: 'Id' },
    }),
    it('POST', '/networks/create', 'name taken', { body: { Name: 'n1', CheckDuplicate: true } }),
    it('POST', '/networks/create', 'predefined name', { body: { Name: 'bridge', CheckDuplicate: true } }),
    it('POST', '/networks/create', 'unknown driver', { body: { Name: 'n2', Driver: 'nonsense' } }),
    it('POST', '/networks/create', 'bad subnet', {
      body: { Name: 'n2', IPAM: { Config: [{ Subnet: 'nonsense' }] } },
    }),
    it('POST', '/networks/create', 'subnet taken', {
      body: { Name: 'n2', IPAM: { Config: [{ Subnet: '10.213.90.0/24' }] } },
    }),
    it('POST', '/networks/create', 'no name', { body: {} }),
    it('POST', '/networks/create', notes.json, { body: '{bad' }),
    it('GET', '/networks/{id}', '', on('/networks/{id}', 'n1')),
    it('GET', '/networks/{id}', 'predefined', on('/networks/{id}', 'host')),
    missing('GET', '/networks/{id}'),
    it('POST', '/networks/{id}/connect', '', {
      ...on('/networks/{id}/connect', 'n1'),
      body: { Container: 'other' },
    }),
    it('POST', '/networks/{id}/connect', 'unknown container', {
      ...on('/networks/{id}/connect', 'n1'),
      body: { Container: 'nobody' },
    }),
    it('POST', '/networks/{id}/connect', notes.json, { ...on('/networks/{id}/connect', 'n1'), body: '{bad' }),
    it('POST', `${c}/start`, '', on(`${c}/start`, 'other')),
    missing('POST', '/networks/{id}/connect', { body: { Container: 'other' } }),
    missing('POST', '/networks/{id}/disconnect', { body: { Container: 'other' } }),
    it('GET', `${c}/json`, 'on two networks', on(`${c}/json`, 'other')),
    it('GET', '/networks/{id}', 'with a container', on('/networks/{id}', 'n1')),
    it('DELETE', '/networks/{id}', 'in use', on('/networks/{id}', 'n1')),
    it('POST', '/networks/{id}/disconnect', '', {
      ...on('/networks/{id}/disconnect', 'n1'),
      body: { Container: 'other' },
    }),
    it('POST', '/networks/{id}/disconnect', 'not connected', {
      ...on('/networks/{id}/disconnect', 'n1'),
      body: { Container: 'other' },
    }),
    it('DELETE', '/networks/{id}', '', on('/networks/{id}', 'n1')),
    it('DELETE', '/networks/{id}', 'predefined', on('/networks/{id}', 'bridge')),
    missing('DELETE', '/networks/{id}'),
    it('POST', '/networks/prune', ''),
    it('POST', '/networks/prune', notes.filter, { path: '/networks/prune?filters={"nonsense":["x"]}' }),

    it('POST', '/volumes/create', '', { body: { Name: 'v1', Labels: { a: 'b' } } }),
    it('POST', '/volumes/create', 'once more', { body: { Name: 'v1' } }),
    it('POST', '/volumes/create', 'bad name', { body: { Name: 'x!' } }),
    it('POST', '/volumes/create', 'unknown driver', { body: { Name: 'v2', Driver: 'nonsense' } }),
    it('POST', '/volumes/create', 'bad option', { body: { Name: 'v2', DriverOpts: { nonsense: '1' } } }),
    it('POST', '/volumes/create', notes.json, { body: '{bad' }),
    it('GET', '/volumes', ''),
    it('GET', '/volumes', notes.filter, { path: '/volumes?filters={"nonsense":["x"]}' }),
    it('GET', '/volumes', notes.badFilter, { path: '/volumes?filters=x' }),
    it('GET', '/volumes/{name}', '', on('/volumes/{name}', 'v1')),
    missing('GET', '/volumes/{name}'),
    create('with mounts', 'c4', {
      ...sleeper,
      HostConfig: {
        Binds: ['v1:/v:ro', '/tmp:/t'],
        Mounts: [{ Type: 'tmpfs', Target: '/m', TmpfsOptions: { SizeBytes: 1048576 } }],
        Tmpfs: { '/m2': 'size=1m' },
        ReadonlyRootfs: true,
        ExtraHosts: ['a:127.0.0.1', 'b:host-gateway'],
        Dns: ['127.0.0.1'],
        Ulimits: [{ Name: 'nofile', Soft: 64, Hard: 64 }],
        Sysctls: { 'net.ipv4.ip_forward': '0' },
        SecurityOpt: ['no-new-privileges', 'seccomp=unconfined'],
        CapAdd: ['NET_ADMIN'],
        CapDrop: ['ALL'],
        GroupAdd: ['1'],
        Init: true,
        PidsLimit: 50,
        Memory: 33554432,
        PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1' }] },
      },
      ExposedPorts: { '80/tcp': {} },
      Healthcheck: { Test: ['CMD', 'true'], Interval: 10 ** 9 },
      StopSignal: 'SIGUSR1',
      StopTimeout: 1,
    }),
    it('GET', `${c}/json`, 'with many options', on(`${c}/json`, 'c4')),
    it('POST', `${c}/start`, 'with many options', on(`${c}/start`, 'c4')),
    it('GET', `${c}/json`, 'with many options, running', on(`${c}/json`, 'c4')),
    it('PUT', `${c}/archive`, 'read-only root', { ...on(`${c}/archive`, 'c4', '?path=/bin'), body: tar }),
    it('PUT', `${c}/archive`, 'read-only volume', { ...on(`${c}/archive`, 'c4', '?path=/v'), body: tar }),
    it('DELETE', '/volumes/{name}', 'in use', on('/volumes/{name}', 'v1')),
    create('with a volume', 'donor', { ...sleeper, HostConfig: { Binds: ['v1:/v'] } }),
    create('volumes from another', 'c5', { ...sleeper, HostConfig: { VolumesFrom: ['donor:ro'] } }),
    it('GET', `${c}/json`, 'volumes from another', on(`${c}/json`, 'c5')),
    create('linked', 'c6', { ...sleeper, HostConfig: { Links: ['other:db'] } }),
    it('POST', `${c}/start`, 'linked', on(`${c}/start`, 'c6')),
    it('GET', `${c}/json`, 'linked', on(`${c}/json`, 'c6')),

    it('GET', '/system/df', ''),
    it('GET', '/events', 'what has been', { path: '/events?since=1&until=2' }),
    it('GET', '/events', notes.filter, { path: '/events?since=1&until=2&filters={"nonsense":["x"]}' }),
    it('GET', '/events', notes.badFilter, { path: '/events?filters=x' }),
    it('POST', '/build', '', { path: '/build?t=built:1', body: context, ignoreBody: true }),
    it('POST', '/build', 'no Dockerfile', { path: '/build', body: tar }),
    it('POST', '/build', 'bad name', { path: '/build?t=UPPER', body: context }),
    it('POST', '/build/prune', ''),
    it('POST', '/build/cancel', 'no id'),
    it('POST', '/session', 'no upgrade'),
    it('POST', '/grpc', 'no upgrade'),

    it('DELETE', c, 'running', on(c, 'other')),
    ...['c1', 'other', 'c3', 'c4', 'c5', 'c6', 'donor'].map((name) =>
      it('DELETE', c, '', on(c, name, '?force=1&v=1')),
    ),
    missing('DELETE', c),
    it('POST', '/containers/prune', ''),
    it('POST', '/containers/prune', notes.filter, { path: '/containers/prune?filters={"nonsense":["x"]}' }),
    it('DELETE', '/volumes/{name}', '', on('/volumes/{name}', 'v1')),
    missing('DELETE', '/volumes/{name}'),
    it('POST', '/volumes/prune', ''),
    it('POST', '/volumes/prune', notes.filter, { path: '/volumes/prune?filters={"nonsense":["x"]}' }),
    ...elsewhere(),
  ]
}

/** Swarm, plugins and debugging: an engine in no swarm. */
function elsewhere(): Case[] {
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
