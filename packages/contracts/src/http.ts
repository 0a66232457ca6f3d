/** Doors for plugins into the HTTP server of the daemon. @module */

import type { Duplex } from 'node:stream'
import { defineService } from '@kernel/kernel'

/** What a mounted handler gets beside the request. */
export interface HttpEnvironment {
  /** Who called: the unix socket's owner (`local`), or the token's name. Undefined where auth is `handler`'s. */
  caller?: string
  /** True where the request asked for an upgrade (or is a hijacking POST of an old Docker client). */
  upgradable: boolean
  /**
   * Takes the connection over after the answer's head has been written: 101 where the client asked for an
   * upgrade, else 200. The handler then returns `hijacked`.
   */
  hijack(contentType: string): Duplex
  hijacked: Response
}
export type HttpHandler = (request: Request, env: HttpEnvironment) => Response | Promise<Response>

export interface HttpServer {
  /**
   * Requests whose path begins with `prefix` (`/git/`) go to the handler, on every API listener.
   * `auth: 'caller'`: unix socket or a valid token (Bearer, or Basic with the token as password), else 401.
   */
  mount(prefix: string, handler: HttpHandler, options: { auth: 'caller' | 'handler' }): () => void
  /** Addresses of the API: `unix:///...`, `http://127.0.0.1:2375`. */
  addresses(): Promise<string[]>
}
export const HttpServer = defineService<HttpServer>('http-server')
