/** A real docker-registry for tests, and a proxy before it that can misbehave. @module */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { createHash, createPrivateKey, createSign, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import fs from 'node:fs'
import http from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { Descriptor, Digest } from '@kernel/contracts'
import { configOf, tarOf } from './fixture.ts'

/** `secret` by bcrypt. */
const HTPASSWD = 'user:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n'
const SERVICE = 'test-registry'
const ISSUER = 'test-issuer'

export interface TestRegistry {
  /** `127.0.0.1:PORT`. */
  host: string
  stop: () => Promise<void>
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Starts docker-registry over the folder `dir`; with `auth` it asks who calls. */
export async function startRegistry(
  dir: string,
  auth?: 'htpasswd' | { realm: string },
): Promise<TestRegistry> {
  const port = await freePort()
  const config = {
    version: 0.1,
    log: { level: 'error' },
    storage: { filesystem: { rootdirectory: join(dir, 'storage') } },
    http: { addr: `127.0.0.1:${port}`, secret: 'test' },
    ...(auth && { auth: authOf(dir, auth) }),
  }
  const file = join(dir, `config-${port}.yml`)
  fs.writeFileSync(file, JSON.stringify(config))
  if (auth === 'htpasswd') fs.writeFileSync(join(dir, 'htpasswd'), HTPASSWD)
  const child = spawn('docker-registry', ['serve', file], { stdio: 'ignore' })
  const host = `127.0.0.1:${port}`
  await answers(`http://${host}/v2/`, child)
  return { host, stop: () => stop(child) }
}

function authOf(dir: string, auth: 'htpasswd' | { realm: string }): unknown {
  if (auth === 'htpasswd') return { htpasswd: { realm: 'test', path: join(dir, 'htpasswd') } }
  return {
    token: { realm: auth.realm, service: SERVICE, issuer: ISSUER, rootcertbundle: join(dir, 'cert.pem') },
  }
}

async function answers(url: string, child: ChildProcess): Promise<void> {
  while (child.exitCode === null) {
    const response = await fetch(url).catch(() => undefined)
    await response?.body?.cancel()
    if (response) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error(`docker-registry ended with code ${child.exitCode}`)
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return
  child.kill('SIGKILL')
  await once(child, 'exit')
}

/** A token server as distribution's token.md has it: `user`/`secret` may push and pull, strangers nothing. */
export async function startTokenServer(
  dir: string,
): Promise<{ realm: string; stop: () => Promise<void>; asked: URL[] }> {
  const subject = ['-subj', '/CN=test', '-days', '1', '-nodes']
  const files = ['-keyout', join(dir, 'key.pem'), '-out', join(dir, 'cert.pem')]
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', ...subject, ...files], { stdio: 'ignore' })
  const asked: URL[] = []
  const server = http.createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://token')
    asked.push(url)
    if (request.headers.authorization !== `Basic ${btoa('user:secret')}`) {
      response.writeHead(401).end('{}')
      return
    }
    const token = sign(dir, url.searchParams.getAll('scope'))
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ token, expires_in: 300 }))
  })
  const stop = await listen(server)
  return { realm: `http://${hostOf(server)}/token`, stop, asked }
}

function sign(dir: string, scopes: string[]): string {
  const certificate = fs.readFileSync(join(dir, 'cert.pem'), 'utf8').replace(/-----[^-]+-----|\s/g, '')
  const now = Math.floor(Date.now() / 1000)
  const access = scopes.map((scope) => {
    const [type, name, actions = ''] = scope.split(':')
    return { type, name, actions: actions.split(',') }
  })
  const times = { iat: now, nbf: now - 10, exp: now + 300 }
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const head = encode({ typ: 'JWT', alg: 'RS256', x5c: [certificate] })
  const body = encode({ iss: ISSUER, aud: SERVICE, sub: 'user', jti: randomUUID(), ...times, access })
  const key = createPrivateKey(fs.readFileSync(join(dir, 'key.pem')))
  return `${head}.${body}.${createSign('sha256').update(`${head}.${body}`).sign(key).toString('base64url')}`
}

async function listen(server: http.Server): Promise<() => Promise<void>> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  }
}

const hostOf = (server: http.Server) => `127.0.0.1:${(server.address() as AddressInfo).port}`

/** What a proxy does to the answer of one request; undefined: nothing. */
export type Mischief = (request: {
  path: string
  range: string | undefined
}) =>
  | { cutAfter?: number; flipByte?: number; status?: number; dropRange?: boolean; stallAfter?: number }
  | undefined

/** A proxy before `target` that cuts, damages or refuses as told. */
export async function startProxy(target: string, mischief: Mischief) {
  const requests: { path: string; range: string | undefined }[] = []
  const server = http.createServer(async (request, response) => {
    const seen = { path: request.url ?? '', range: request.headers.range }
    requests.push(seen)
    const { cutAfter, flipByte, status, dropRange, stallAfter } = mischief(seen) ?? {}
    if (status) {
      response.writeHead(status).end()
      return
    }
    const headers: Record<string, string> = { accept: request.headers.accept ?? '*/*' }
    if (seen.range && !dropRange) headers.range = seen.range
    const answer = await fetch(`http://${target}${seen.path}`, { headers })
    const body = Buffer.from(await answer.arrayBuffer())
    if (flipByte !== undefined) body[flipByte]! ^= 0xff
    const kept = ['content-type', 'docker-content-digest', 'content-range'].flatMap((name) =>
      answer.headers.has(name) ? [[name, answer.headers.get(name)!]] : [],
    )
    response.writeHead(answer.status, { ...Object.fromEntries(kept), 'content-length': body.length })
    const limit = cutAfter ?? stallAfter
    if (limit === undefined) return response.end(body)
    response.write(body.subarray(0, limit), () => {
      if (cutAfter !== undefined) setTimeout(() => response.destroy(), 20)
    })
  })
  const stop = await listen(server)
  return { host: hostOf(server), requests, stop }
}

const sha256 = (bytes: Uint8Array): Digest => `sha256:${createHash('sha256').update(bytes).digest('hex')}`

/** Puts a blob into the registry's repository. */
async function pushBlob(base: string, bytes: Buffer): Promise<Descriptor> {
  const digest = sha256(bytes)
  const begun = await fetch(`${base}/blobs/uploads/`, { method: 'POST' })
  const location = new URL(begun.headers.get('location')!)
  location.searchParams.set('digest', digest)
  const done = await fetch(location, { method: 'PUT', body: new Uint8Array(bytes) })
  if (done.status !== 201) throw new Error(`push of a blob: ${done.status}`)
  return { mediaType: 'application/octet-stream', digest, size: bytes.length }
}

async function pushManifest(
  base: string,
  ref: string,
  mediaType: string,
  document: unknown,
): Promise<Descriptor> {
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, ...(document as object) }))
  const options = { method: 'PUT', body: bytes, headers: { 'content-type': mediaType } }
  const done = await fetch(`${base}/manifests/${ref}`, options)
  if (done.status !== 201) throw new Error(`push of a manifest: ${done.status} ${await done.text()}`)
  return { mediaType, digest: sha256(bytes), size: bytes.length }
}

const DOCKER = 'application/vnd.docker'
export const HERE = process.arch === 'arm64' ? 'arm64' : 'amd64'
const ELSEWHERE = HERE === 'arm64' ? 'amd64' : 'arm64'

/** Pushes an image of these layers' files under `tag`, as a list of two platforms. */
export async function pushImage(host: string, name: string, tag: string, files: Array<string | Buffer>) {
  const base = `http://${host}/v2/${name}`
  const tars = files.map((data, index) => tarOf({ path: `file${index}`, data }))
  const layers: Descriptor[] = []
  for (const tar of tars) {
    const layer = await pushBlob(base, gzipSync(tar))
    layers.push({ ...layer, mediaType: `${DOCKER}.image.rootfs.diff.tar.gzip` })
  }
  const manifests: Descriptor[] = []
  for (const architecture of [ELSEWHERE, HERE]) {
    const document = { ...configOf(tars.map(sha256)), architecture }
    const config = await pushBlob(base, Buffer.from(JSON.stringify(document)))
    const type = `${DOCKER}.distribution.manifest.v2+json`
    const image = { config: { ...config, mediaType: `${DOCKER}.container.image.v1+json` }, layers }
    const manifest = await pushManifest(base, `${tag}-${architecture}`, type, image)
    manifests.push({ ...manifest, platform: { os: 'linux', architecture } })
  }
  const list = await pushManifest(base, tag, `${DOCKER}.distribution.manifest.list.v2+json`, { manifests })
  return { layers, list }
}
