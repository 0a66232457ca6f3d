/** Speaks to one repository of a registry. Source: OCI distribution-spec v1.1, "Pull" and "Push". @module */
import { type Digest, failed, notFound, type RegistryAuth, unauthorized } from '@kernel/contracts'
import { digestOf } from '../content.ts'
import { isDigest, type Reference } from '../reference.ts'
import { Authorizer, parseChallenge } from './auth.ts'
import { isLoopback, registryFetch } from './fetch.ts'

export interface RegistryOptions {
  /** Hosts (with port) that are spoken to without TLS, besides the loopback ones. */
  insecure?: string[]
  /** For tests. */
  fetch?: typeof globalThis.fetch
  /** Milliseconds of the first wait before a retry, doubled each time. Default 500. */
  backoff?: number
}

export const manifestTypes = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
]

/** Bytes of a manifest; the specification has registries take up to 4 MiB. */
const LARGEST_DOCUMENT = 8 << 20
const TRIES = 5

export interface RawManifest {
  bytes: Buffer
  digest: Digest
  mediaType: string
}

interface Sent {
  method?: string
  headers?: Record<string, string>
  /** Makes the body. */
  open?: () => AsyncIterable<Uint8Array>
  signal?: AbortSignal | undefined
}

export class RegistryClient {
  private readonly base: string
  private readonly name: string
  private readonly path: string
  private readonly scope: string
  private readonly options: RegistryOptions
  private readonly authorizer: Authorizer
  private readonly fetch: typeof globalThis.fetch

  /** @param actions what will be asked for: `pull`, or `pull,push` */
  constructor(
    ref: Reference,
    auth: RegistryAuth | undefined,
    options: RegistryOptions,
    actions: 'pull' | 'pull,push' = 'pull',
  ) {
    this.scope = `repository:${ref.path}:${actions}`
    this.base = endpointOf(ref.domain, options.insecure ?? [])
    this.name = ref.domain === 'docker.io' ? ref.path.replace(/^library\//, '') : `${ref.domain}/${ref.path}`
    this.path = ref.path
    this.options = options
    this.fetch = options.fetch ?? registryFetch
    this.authorizer = new Authorizer(auth, this.fetch)
  }

  /**
   * A manifest by tag or digest, verified where a digest tells what it should be.
   * @throws not-found, unauthorized with dockerd's texts
   */
  async manifest(reference: string, shown: string, signal?: AbortSignal): Promise<RawManifest> {
    return this.retried(signal, async () => {
      const headers = { accept: manifestTypes.join(', ') }
      const response = await this.request(`manifests/${reference}`, { headers, signal })
      if (!response.ok) throw await this.problem(response, shown)
      const bytes = await readBounded(response, LARGEST_DOCUMENT)
      const digest = digestOf(bytes)
      const expected = isDigest(reference) ? reference : response.headers.get('docker-content-digest')
      if (expected && isDigest(expected) && expected !== digest)
        throw failed(`manifest verification failed for digest ${expected}: the registry sent ${digest}`)
      const mediaType = response.headers.get('content-type')?.split(';')[0]?.trim() ?? ''
      return { bytes, digest, mediaType }
    })
  }

  /** Opens a blob at an offset; `partial` false: the registry sends it from the start all the same. */
  async openBlob(
    digest: Digest,
    offset: number,
    signal?: AbortSignal,
  ): Promise<{ body: AsyncIterable<Uint8Array>; partial: boolean }> {
    const headers: Record<string, string> = offset > 0 ? { range: `bytes=${offset}-` } : {}
    const response = await this.request(`blobs/${digest}`, { headers, signal })
    if (!response.ok || !response.body) throw await this.problem(response, this.name)
    return { body: response.body, partial: response.status === 206 }
  }

  /** Tries again after what may pass: broken connections, 5xx, 429. */
  async retried<T>(signal: AbortSignal | undefined, attempt: () => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      try {
        return await attempt()
      } catch (error) {
        signal?.throwIfAborted()
        if (tries >= TRIES || !isPassing(error)) throw describe(error, this.base)
        await pause((this.options.backoff ?? 500) * 2 ** (tries - 1), signal)
      }
    }
  }

  /** Whether the registry has the blob in this repository. */
  async hasBlob(digest: Digest, signal?: AbortSignal): Promise<boolean> {
    return this.retried(signal, async () => {
      const response = await this.request(`blobs/${digest}`, { method: 'HEAD', signal })
      if (response.ok || response.status === 404) return response.ok
      throw await this.problem(response, this.name)
    })
  }

  /** Sends a blob; `open` is asked for its bytes once more after a connection broke. */
  async putBlob(digest: Digest, open: () => AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<void> {
    await this.retried(signal, async () => {
      const begun = await this.request('blobs/uploads/', { method: 'POST', signal })
      if (begun.status !== 202) throw await this.problem(begun, this.name)
      await begun.body?.cancel()
      const headers = { 'content-type': 'application/octet-stream' }
      const sent = await this.request(this.locationOf(begun), { method: 'PATCH', headers, open, signal })
      if (sent.status !== 202 && sent.status !== 201) throw await this.problem(sent, this.name)
      await sent.body?.cancel()
      const end = new URL(this.locationOf(sent))
      end.searchParams.set('digest', digest)
      const done = await this.request(end.href, { method: 'PUT', signal })
      if (done.status !== 201) throw await this.problem(done, this.name)
      await done.body?.cancel()
    })
  }

  async putManifest(
    reference: string,
    mediaType: string,
    bytes: Uint8Array,
    signal?: AbortSignal,
  ): Promise<void> {
    await this.retried(signal, async () => {
      const headers = { 'content-type': mediaType }
      const open = async function* once() {
        yield bytes
      }
      const response = await this.request(`manifests/${reference}`, { method: 'PUT', headers, open, signal })
      if (response.status !== 201) throw await this.problem(response, this.name)
      await response.body?.cancel()
    })
  }

  /** An upload goes on where the registry says; our credentials stay with the registry. */
  private locationOf(response: Response): string {
    const location = response.headers.get('location')
    if (!location || !URL.canParse(location, response.url))
      throw failed('the registry began an upload nowhere')
    return new URL(location, response.url).href
  }

  /** One request, with a second try after a challenge. Redirects never take our credentials along (fetch). */
  private async request(path: string, sent: Sent): Promise<Response> {
    const url = new URL(path, `${this.base}/v2/${this.path}/`)
    const own = url.origin === new URL(this.base).origin
    for (let tries = 0; ; tries++) {
      const authorization = own ? this.authorizer.header(this.scope) : undefined
      const response = await this.fetch(url, {
        method: sent.method ?? 'GET',
        headers: { ...sent.headers, ...(authorization && { authorization }) },
        ...(sent.open && { body: sent.open() as unknown as string, duplex: 'half' }),
        ...(sent.signal && { signal: sent.signal }),
      })
      if (response.status !== 401 || tries >= 2 || !own) return response
      const challenge = parseChallenge(response.headers.get('www-authenticate'))
      // A token that has just been fetched and is refused again will not get better.
      if (tries === 1 && challenge?.scheme === 'bearer') return response
      if (!(await this.authorizer.answer(challenge, this.scope, sent.signal))) return response
      await response.body?.cancel()
    }
  }

  private async problem(response: Response, shown: string): Promise<Error> {
    const { status } = response
    const text = await readBounded(response, 65_536).then(
      (bytes) => bytes.toString(),
      () => '',
    )
    const [first] = errorsIn(text)
    const said = first ? `${first.code.toLowerCase().replaceAll('_', ' ')}: ${first.message}` : ''
    if (status === 401 || status === 403 || first?.code === 'DENIED' || first?.code === 'NAME_UNKNOWN')
      return accessDenied(this.name, said, status)
    if (status === 404)
      return notFound(`manifest for ${shown} not found: ${said || 'manifest unknown: manifest unknown'}`)
    const message = said || `unexpected status ${status} from ${this.base}`
    return Object.assign(failed(message), { passing: status >= 500 || status === 429 || status === 408 })
  }
}

/** Docker Hub says neither whether a repository is private nor whether it exists. */
function accessDenied(name: string, said: string, status: number): Error {
  const text = `pull access denied for ${name}, repository does not exist or may require 'docker login'`
  const message = `${text}: ${said || 'denied: requested access to the resource is denied'}`
  return status === 401 ? unauthorized(message) : notFound(message)
}

function errorsIn(text: string): Array<{ code: string; message: string }> {
  try {
    const { errors } = JSON.parse(text) as { errors?: Array<{ code?: unknown; message?: unknown }> }
    return (errors ?? []).map(({ code, message }) => ({ code: String(code), message: String(message) }))
  } catch {
    return []
  }
}

/** Plain HTTP where nobody can listen in, or where the operator says so. */
export function endpointOf(domain: string, insecure: string[]): string {
  if (domain === 'docker.io') return 'https://registry-1.docker.io'
  return `${isLoopback(domain.replace(/:\d+$/, '')) || insecure.includes(domain) ? 'http' : 'https'}://${domain}`
}

async function readBounded(response: Response, limit: number): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  let size = 0
  for await (const piece of response.body ?? []) {
    size += piece.length
    if (size > limit) throw failed(`the registry sent a document of over ${limit} bytes`)
    pieces.push(piece)
  }
  return Buffer.concat(pieces)
}

/** fetch fails with a TypeError when the connection breaks; a stream may fail with an error of the socket. */
function isPassing(error: unknown): boolean {
  if ((error as { passing?: boolean }).passing !== undefined) return (error as { passing: boolean }).passing
  const code = (error as { cause?: { code?: string } }).cause?.code ?? (error as { code?: string }).code ?? ''
  if (['ENOTFOUND', 'ECONNREFUSED', 'ERR_INVALID_URL'].includes(code) || code.startsWith('CERT_'))
    return false
  return error instanceof TypeError || /^UND_ERR|^ECONN|^EPIPE|^ETIMEDOUT|^EAI_AGAIN/.test(code)
}

function describe(error: unknown, base: string): Error {
  if (!(error instanceof TypeError)) return error as Error
  const cause = error.cause as { code?: string; message?: string } | undefined
  const why = cause?.message || cause?.code || error.message
  return failed(`failed to reach the registry ${base}: ${why}`, { cause: error })
}

export function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => {
      clearTimeout(timer)
      reject(signal?.reason)
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', abort)
      resolve()
    }, milliseconds)
    signal?.addEventListener('abort', abort, { once: true })
  })
}
