import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  Acme,
  AppConfig,
  AppLogs,
  Apps,
  BaseImage,
  Builders,
  Certificates,
  Checks,
  Containers,
  Deploys,
  Domains,
  Events,
  HttpServer,
  ImageBuilder,
  Images,
  Ledger,
  Metrics,
  Networks,
  Processes,
  Releases,
  Repositories,
  Router,
  Scheduler,
  Sites,
  SshKeys,
  Tokens,
  Volumes,
} from '@kernel/contracts'
import { createKernel, definePlugin } from '@kernel/kernel'
import { memoryLogger } from '@kernel/kernel/testing'
import { expect, it, onTestFinished } from 'vitest'
import { api, dockerApi, edge, server } from './index.ts'
import { unixFetch } from './testing/unix-fetch.ts'

/** Stand-ins for the other plugins, with the needs that these have of ours. */
const runtime = definePlugin({
  name: 'runtime',
  version: '1.0.0',
  kernel: '^1',
  provides: [Containers, Images, ImageBuilder, BaseImage, Networks, Volumes, Scheduler, Events, Ledger],
  setup(ctx) {
    ctx.provide(Containers, { list: async () => [] } as unknown as Containers)
    ctx.provide(Images, { list: async () => [] } as unknown as Images)
    for (const token of [ImageBuilder, BaseImage, Networks, Volumes, Scheduler, Events, Ledger])
      ctx.provide(token as typeof Ledger, {} as Ledger)
  },
})
const git = definePlugin({
  name: 'git',
  version: '1.0.0',
  kernel: '^1',
  requires: [HttpServer, Tokens],
  provides: [SshKeys, Repositories],
  setup(ctx) {
    ctx.defer(ctx.use(HttpServer).mount('/git/', () => new Response('git'), { auth: 'caller' }))
    ctx.provide(SshKeys, {} as SshKeys)
    ctx.provide(Repositories, {} as Repositories)
  },
})
const apps = definePlugin({
  name: 'apps',
  version: '1.0.0',
  kernel: '^1',
  requires: [Router, Scheduler, Repositories, Events],
  provides: [Apps, AppConfig, Domains, Processes, Releases, Deploys, AppLogs, Builders, Checks],
  setup(ctx) {
    ctx.provide(Apps, { list: async () => [] } as unknown as Apps)
    for (const token of [AppConfig, Domains, Processes, Releases, Deploys, AppLogs, Builders, Checks])
      ctx.provide(token as typeof Checks, {} as Checks)
    ctx.ready(() => ctx.use(Router).ready())
  },
})

const sites = definePlugin({
  name: 'sites',
  version: '1.0.0',
  kernel: '^1',
  requires: [Router, Apps, Domains, Events],
  optional: [Metrics],
  provides: [Sites, Certificates, Acme],
  setup(ctx) {
    for (const token of [Sites, Certificates, Acme]) ctx.provide(token as typeof Sites, {} as Sites)
  },
})

it('fits together with the other plugins, in one order, without a circle', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'kernel-http-'))
  onTestFinished(() => rm(dataDir, { recursive: true }))
  const socketPath = join(dataDir, 's')
  const facts = { dataDir, version: '0.1.0' }
  const log = memoryLogger()
  const kernel = createKernel({
    log,
    plugins: [
      { plugin: server, config: { dataDir, hosts: [`unix://${socketPath}`] } },
      { plugin: edge, config: { dataDir, listen: ['127.0.0.1:0'], threads: 1 } },
      { plugin: runtime },
      { plugin: git },
      { plugin: apps },
      { plugin: sites },
      { plugin: dockerApi, config: facts },
      { plugin: api, config: { ...facts, plugins: () => kernel.report() } },
    ].map((entry) => ({ ...entry, firstParty: true })),
  })
  await kernel.start()
  onTestFinished(() => kernel.stop())
  const get = (path: string) => unixFetch(socketPath, 'GET', path)
  expect((await get('/containers/json')).json()).toEqual([])
  expect((await get('/v1.44/_ping')).body).toBe('OK')
  expect((await get('/api/v1/apps')).json()).toEqual([])
  expect((await get('/git/x')).body).toBe('git')
  const plugins = (await get('/api/v1/system/plugins')).json() as { name: string; state: string }[]
  expect(plugins.map(({ name, state }) => `${name} ${state}`)).toEqual(
    ['http', 'edge', 'runtime', 'git', 'apps', 'sites', 'docker-api', 'api'].map((name) => `${name} started`),
  )
  const metrics = (await get('/metrics')).body
  for (const name of [
    'kernel_containers',
    'kernel_apps',
    'kernel_http_requests_total',
    'process_cpu_seconds_total',
  ])
    expect(metrics).toContain(name)
  // One name has one description, however many plugins add to it.
  const described = [...metrics.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name)
  expect(new Set(described).size).toBe(described.length)
})
