/** An edge on loopback whose log is watched, for what fuzzes it from outside. @module */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer as createHttpServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo, Server as NetServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SitePolicy } from '@kernel/contracts'
import { edgeConfig, settingsOf } from '../config.ts'
import { createEdge } from '../edge.ts'
import type { EdgeSettings } from '../messages.ts'

export interface Lab {
  port: number
  tlsPort: number
  /** Leads all requests to a host to the port; `''` stands for every host that has none of its own. */
  lead(host: string, port: number, policy?: SitePolicy): Promise<void>
  /** Threads that died, and errors inside the edge: there must be none. */
  crashes(): string[]
  close(): Promise<void>
}

export interface LabOptions {
  settings?: Partial<EdgeSettings>
  threads?: number
  /** With a port for TLS. */
  tls?: boolean
}

export async function openLab({ settings = {}, threads = 2, tls = false }: LabOptions = {}): Promise<Lab> {
  const crashes: string[] = []
  const note = (message: string, fields: Record<string, unknown> = {}) => {
    if (/has died|inside the edge/.test(message)) crashes.push(`${message}: ${String(fields.error)}`)
  }
  const edge = await createEdge({
    listen: ['127.0.0.1:0'],
    listenTls: tls ? ['127.0.0.1:0'] : [],
    threads,
    settings: { ...settingsOf(edgeConfig.parse({ dataDir: '/nowhere' })), ...settings },
    log: { debug: () => {}, info: () => {}, warn: note, error: note },
  })
  if (tls) await edge.setCertificates([selfSigned()])
  await edge.ready()
  const listeners = await edge.listeners()
  const portOf = (protocol: string) => listeners.find((one) => one.protocol === protocol)?.port ?? 0
  return {
    port: portOf('http'),
    tlsPort: portOf('https'),
    async lead(host, port, policy) {
      const app = `app-${host || 'any'}`
      const targets = [{ id: `to-${port}`, host: '127.0.0.1', port }]
      if (policy) await edge.setPolicy(app, policy)
      await edge.publish(app, [{ host, path: '', state: 'up', targets }])
    },
    crashes: () => crashes,
    close: () => edge.close(0),
  }
}

function selfSigned(): { hosts: string[]; certificate: string; key: string } {
  const dir = mkdtempSync(join(tmpdir(), 'edge-fuzz-'))
  try {
    const [key, cert] = [join(dir, 'key'), join(dir, 'cert')]
    const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
    const names = ['-subj', '/CN=app.test', '-addext', 'subjectAltName=DNS:app.test,DNS:*.test']
    execFileSync('openssl', ['req', '-x509', ...kind, ...names, '-keyout', key, '-out', cert], {
      stdio: 'pipe',
    })
    return {
      hosts: ['app.test', '*.test'],
      certificate: readFileSync(cert, 'utf8'),
      key: readFileSync(key, 'utf8'),
    }
  } finally {
    rmSync(dir, { recursive: true })
  }
}

/** A server on a free port of 127.0.0.1; answers with the port. */
export async function listen(server: NetServer): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

/** An app in Node. */
export async function openApp(
  answer: RequestListener,
): Promise<{ server: Server; port: number; close(): void }> {
  const server = createHttpServer(answer)
  const port = await listen(server)
  const close = () => {
    server.close()
    server.closeAllConnections()
  }
  return { server, port, close }
}
