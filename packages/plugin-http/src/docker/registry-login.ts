import { failed, unauthorized } from '@kernel/contracts'

export interface LoginCheck {
  username: string
  password: string
  /** Host, host and port, or URL; empty: Docker Hub. */
  server: string
  signal: AbortSignal
}

/**
 * Whether a registry takes a name and a password: by Basic itself, or by the token service that it names.
 * Source: distribution-spec, "Determining Support"; distribution, "Token Authentication".
 * @throws unauthorized, failed
 */
export async function checkRegistryLogin(check: LoginCheck): Promise<void> {
  const base = registryUrl(check.server)
  const authorization = `Basic ${Buffer.from(`${check.username}:${check.password}`).toString('base64')}`
  const first = await request(`${base}/v2/`, check.signal)
  if (first.ok) return
  const challenge = first.headers.get('www-authenticate') ?? ''
  const url = /^bearer /i.test(challenge) ? tokenUrl(challenge, check.username) : `${base}/v2/`
  const second = await request(url, check.signal, { authorization })
  if (second.status === 401 || second.status === 403)
    throw unauthorized(`Get "${base}/v2/": unauthorized: incorrect username or password`)
  if (!second.ok)
    throw failed(`login attempt to ${url} failed with status: ${second.status} ${second.statusText}`)
}

/** Registries on this machine may go without TLS, as dockerd has it. */
function registryUrl(server: string): string {
  const host = server.replace(/^https?:\/\//, '').split('/')[0]!
  if (host === '' || host === 'docker.io' || host === 'index.docker.io') return 'https://registry-1.docker.io'
  const local = /^(localhost|127\.[\d.]+|\[::1\])(:\d+)?$/.test(host)
  return `${local && !server.startsWith('https://') ? 'http' : 'https'}://${host}`
}

/** `Bearer realm="https://auth.example/token",service="registry"` */
function tokenUrl(challenge: string, account: string): string {
  const parameters = Object.fromEntries(
    [...challenge.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, value]),
  )
  if (!parameters.realm || !URL.canParse(parameters.realm))
    throw failed(`The registry asks for a token but names no service: ${challenge}`)
  const url = new URL(parameters.realm)
  if (parameters.service) url.searchParams.set('service', parameters.service)
  url.searchParams.set('account', account)
  url.searchParams.set('client_id', 'kernel')
  return url.href
}

async function request(
  url: string,
  signal: AbortSignal,
  headers: Record<string, string> = {},
): Promise<Response> {
  try {
    const response = await fetch(url, {
      headers,
      signal: AbortSignal.any([signal, AbortSignal.timeout(15_000)]),
    })
    await response.body?.cancel()
    return response
  } catch (cause) {
    const reason = (cause as Error & { cause?: Error }).cause?.message ?? (cause as Error).message
    throw failed(`Get "${url}": ${reason}`, { cause })
  }
}
