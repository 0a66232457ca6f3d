/** The HTTP client for registries. @module */
import { Agent, type Dispatcher, EnvHttpProxyAgent, fetch as undiciFetch } from 'undici'

/** A connection that says nothing for so long is broken, in milliseconds. */
const SILENCE = 60_000
const timeouts = { bodyTimeout: SILENCE, headersTimeout: SILENCE, connect: { timeout: 15_000 } }

let direct: Dispatcher | undefined
let proxied: Dispatcher | undefined

function directly(): Dispatcher {
  direct ??= new Agent(timeouts)
  return direct
}

function byProxy(): Dispatcher {
  proxied ??= new EnvHttpProxyAgent(timeouts)
  return proxied
}

/** fetch, by the proxies that the environment names (as dockerd does), and never by one to this machine itself. */
export const registryFetch = ((input: string | URL, init: RequestInit = {}) => {
  const { hostname } = new URL(input)
  const dispatcher = isLoopback(hostname) ? directly() : byProxy()
  // The types of the package and of Node differ in names only.
  return undiciFetch(input, { ...init, dispatcher } as never) as unknown as Promise<Response>
}) as typeof globalThis.fetch

/** `localhost`, `127.0.0.0/8`, `[::1]`. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host)
}
