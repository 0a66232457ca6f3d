import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { HttpServer, Metrics, Tokens } from '@kernel/contracts'
import { type MemoryLogger, memoryLogger, setupPlugin } from '@kernel/kernel/testing'
import { onTestFinished } from 'vitest'
import { server as http } from '../http-plugin.ts'

/** For tests: the HTTP plugin on a unix socket and a loopback port of its own, gone when the test ends. */
export interface TestServer {
  server: HttpServer
  tokens: Tokens
  metrics: Metrics
  log: MemoryLogger
  dir: string
  socketPath: string
  /** `http://127.0.0.1:port`. */
  url: string
  stop(): Promise<void>
}

export async function startTestServer(config: Record<string, unknown> = {}): Promise<TestServer> {
  const dir = await mkdtemp(join(tmpdir(), 'kernel-http-'))
  const socketPath = join(dir, 'api.sock')
  const log = memoryLogger()
  const settings = {
    dataDir: dir,
    hosts: [`unix://${socketPath}`, 'tcp://127.0.0.1:0'],
    graceSec: 1,
    ...config,
  }
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  const plugin = await setupPlugin(http, { config: settings, log })
  let stopped: Promise<void> | undefined
  const stop = () => (stopped ??= plugin.stop())
  onTestFinished(stop)
  const server = plugin.provided(HttpServer)
  const url = (await server.addresses()).find((address) => address.startsWith('http')) ?? ''
  return {
    server,
    tokens: plugin.provided(Tokens),
    metrics: plugin.provided(Metrics),
    log,
    dir,
    socketPath,
    url,
    stop,
  }
}
