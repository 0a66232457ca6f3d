import {
  Acme,
  AppConfig,
  AppLogs,
  Apps,
  BaseImage,
  Builders,
  Certificates,
  Checks,
  Deploys,
  Domains,
  Events,
  HttpServer,
  Ledger,
  Metrics,
  Processes,
  Releases,
  Router,
  Scheduler,
  Sites,
  SshKeys,
  Tokens,
} from '@kernel/contracts'
import { type FakeService, setupPlugin } from '@kernel/kernel/testing'
import { onTestFinished } from 'vitest'
import { api } from '../apps/api-plugin.ts'
import { startTestServer } from './start-server.ts'

/** For tests: the product's API on a real socket; of every service only what a test gives. */
export async function startApiServer(
  given: readonly FakeService[] = [],
  config: Record<string, unknown> = {},
) {
  const server = await startTestServer()
  const all = [
    Acme,
    AppConfig,
    AppLogs,
    Apps,
    BaseImage,
    Builders,
    Certificates,
    Checks,
    Deploys,
    Domains,
    Events,
    Ledger,
    Processes,
    Releases,
    Router,
    Scheduler,
    Sites,
    SshKeys,
  ]
  const names = given.map(([token]) => token.name)
  const plugin = await setupPlugin(api, {
    config: { dataDir: server.dir, version: '0.1.0', ...config },
    services: [
      [HttpServer, server.server],
      [Tokens, server.tokens],
      [Metrics, server.metrics],
      ...given,
      ...all.filter(({ name }) => !names.includes(name)).map((token): FakeService => [token, {}]),
    ],
  })
  onTestFinished(() => plugin.stop())
  const { token } = await server.tokens.create('test')
  const call = (method: string, path: string, body?: unknown) =>
    fetch(`${server.url}/api/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
  return { ...server, token, call, plugin }
}
