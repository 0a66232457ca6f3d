/** The HTTP client for registries. @module */
import type { Dispatcher } from 'undici'

/** A connection that says nothing for so long is broken, in milliseconds. */
const SILENCE = 60_000
const timeouts = { bodyTimeout: SILENCE, headersTimeout: SILENCE, connect: { timeout: 15_000 } }

/** Loaded by the first request: a start has no use for it. */
const undici = () => import('undici')

let direct: Promise<Dispatcher> | undefined
let proxied: Promise<Dispatcher> | undefined

function directly(): Promise<Dispatcher> {
  direct ??= undici().then(({ Agent }) => new Agent(timeouts))
  return direct
}

function byProxy(): Promise<Dispatcher> {
  proxied ??= undici().then(({ EnvHttpProxyAgent }) => new EnvHttpProxyAgent(timeouts))
  return proxied
}

/** fetch, by the proxies that the environment names (as dockerd does), and never by one to this machine itself. */
export const registryFetch = (async (input: string | URL, init: RequestInit = {}) => {
  const { hostname } = new URL(input)
  const dispatcher = await (isLoopback(hostname) ? directly() : byProxy())
  const { fetch } = await undici()
  // The types of the package and of Node differ in names only.
  return fetch(input, { ...init, dispatcher } as never) as unknown as Promise<Response>
}) as typeof globalThis.fetch

/** `localhost`, `127.0.0.0/8`, `[::1]`. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host)
}
