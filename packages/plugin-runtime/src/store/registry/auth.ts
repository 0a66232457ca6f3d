/**
 * Who we are to a registry. Source: distribution-spec "Authentication"; distribution `token.md`, `oauth.md`.
 * @module
 */
import { failed, type RegistryAuth, unauthorized } from '@kernel/contracts'

export interface Challenge {
  scheme: 'basic' | 'bearer'
  parameters: Record<string, string>
}

/** Reads `WWW-Authenticate`; of several challenges Bearer is preferred. */
export function parseChallenge(header: string | null): Challenge | undefined {
  const found: Challenge[] = []
  const pattern = /(?:^|,\s*)(Basic|Bearer)\b((?:\s*,?\s*[\w-]+=(?:"(?:[^"\\]|\\.)*"|[^\s,"]+))*)/gi
  for (const [, scheme, rest] of (header ?? '').matchAll(pattern)) {
    const parameters: Record<string, string> = {}
    for (const [, key, quoted, bare] of rest!.matchAll(/([\w-]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/g))
      parameters[key!.toLowerCase()] = quoted?.replace(/\\(.)/g, '$1') ?? bare ?? ''
    found.push({ scheme: scheme!.toLowerCase() as Challenge['scheme'], parameters })
  }
  return found.find(({ scheme }) => scheme === 'bearer') ?? found[0]
}

interface Token {
  value: string
  /** Milliseconds since 1970. */
  expires: number
}

/** Tokens by scope, for one registry and one identity. Nothing here is ever logged. */
export class Authorizer {
  private readonly auth: RegistryAuth | undefined
  private readonly fetch: typeof globalThis.fetch
  private readonly tokens = new Map<string, Token>()
  private basic = false

  constructor(auth: RegistryAuth | undefined, fetch: typeof globalThis.fetch) {
    this.auth = auth
    this.fetch = fetch
  }

  /** The header to send at first; undefined: nothing is known yet. */
  header(scope: string): string | undefined {
    if (this.auth?.registryToken) return `Bearer ${this.auth.registryToken}`
    if (this.basic) return this.basicHeader()
    const token = this.tokens.get(scope)
    return token && token.expires > Date.now() ? `Bearer ${token.value}` : undefined
  }

  /**
   * Answers a 401's challenge; false: there is nothing (more) that we could say.
   * @throws unauthorized where the token server refuses us
   */
  async answer(challenge: Challenge | undefined, scope: string, signal?: AbortSignal): Promise<boolean> {
    if (!challenge) return false
    if (challenge.scheme === 'basic') {
      if (this.basic || !this.basicHeader()) return false
      this.basic = true
      return true
    }
    this.tokens.set(scope, await this.fetchToken(challenge.parameters, scope, signal))
    return true
  }

  private basicHeader(): string | undefined {
    const { username, password } = this.auth ?? {}
    if (!username) return undefined
    return `Basic ${Buffer.from(`${username}:${password ?? ''}`).toString('base64')}`
  }

  private async fetchToken(
    parameters: Record<string, string>,
    scope: string,
    signal: AbortSignal | undefined,
  ): Promise<Token> {
    const { realm, service } = parameters
    if (!realm || !URL.canParse(realm) || !/^https?:$/.test(new URL(realm).protocol))
      throw failed('the registry asks for a token but does not say where from')
    const wanted = parameters.scope ?? scope
    const response = this.auth?.identityToken
      ? await this.refresh(realm, service, wanted, signal)
      : await this.ask(realm, service, wanted, signal)
    if (response.status === 401 || response.status === 403) {
      await response.body?.cancel()
      throw unauthorized('unauthorized: authentication required: incorrect username or password')
    }
    if (!response.ok) {
      await response.body?.cancel()
      throw failed(`the token server ${new URL(realm).host} answered with status ${response.status}`)
    }
    const answer = (await response.json()) as { token?: string; access_token?: string; expires_in?: number }
    const value = answer.token ?? answer.access_token
    if (!value) throw failed(`the token server ${new URL(realm).host} gave no token`)
    // 60 seconds is what the specification has tokens live at least; some of it is lost on the way.
    return { value, expires: Date.now() + (Math.max(answer.expires_in ?? 60, 60) - 10) * 1000 }
  }

  private ask(
    realm: string,
    service: string | undefined,
    scope: string,
    signal?: AbortSignal,
  ): Promise<Response> {
    const url = new URL(realm)
    if (service) url.searchParams.set('service', service)
    for (const one of scope.split(' ')) if (one) url.searchParams.append('scope', one)
    if (this.auth?.username) url.searchParams.set('account', this.auth.username)
    const authorization = this.basicHeader()
    return this.fetch(url, {
      ...(authorization && { headers: { authorization } }),
      ...(signal && { signal }),
    })
  }

  private refresh(
    realm: string,
    service: string | undefined,
    scope: string,
    signal?: AbortSignal,
  ): Promise<Response> {
    const body = new URLSearchParams({
      grant_type: 'refresh_token',
      refresh_token: this.auth?.identityToken ?? '',
      client_id: 'kernel',
      scope,
      ...(service && { service }),
    })
    return this.fetch(realm, { method: 'POST', body, ...(signal && { signal }) })
  }
}
