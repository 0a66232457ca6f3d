/** Doors for plugins into the HTTP server of the daemon. @module */

import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { defineService } from '@kernel/kernel'

/** What a mounted handler gets beside the request. */
export interface HttpEnvironment {
  /** Who called: the unix socket's owner (`local`), or the token's name. Undefined where auth is `handler`'s. */
  caller?: string
  /** Aborts when the caller has gone or the server stops: what may take long listens to it. */
  signal: AbortSignal
  /** True where the request asked for an upgrade (or is a hijacking POST of an old Docker client). */
  upgradable: boolean
  /**
   * Takes the connection over after the answer's head has been written: 101 where the client asked for an
   * upgrade, else 200. The handler then returns `hijacked`. @throws invalid where it is not `upgradable`
   */
  hijack(contentType: string, headers?: Record<string, string>): Duplex
  /**
   * The same before anything has been answered, for protocols with a handshake of their own (WebSocket): node's
   * request, whose body is not read, and the connection. @throws invalid where it is not `upgradable`
   */
  takeUpgrade(): { request: IncomingMessage; socket: Duplex }
  hijacked: Response
  /** A handler may put the pattern of its route here, for the metrics. */
  route?: string
}
export type HttpHandler = (request: Request, env: HttpEnvironment) => Response | Promise<Response>

export interface MountOptions {
  auth: 'caller' | 'handler'
  /** Says which requests take the connection over even where they ask for no upgrade, as old Docker clients do. */
  hijacks?(method: string, path: string): boolean
}

/** Where the server listens; see `HttpServer.reload`. */
export interface ListenSettings {
  /** `unix:///path`, `tcp://host:port`, `fd://` (sockets passed by systemd). */
  hosts: string[]
  /** For every `tcp://` address; paths of PEM files. With `ca`, clients must show a certificate it signed. */
  tls?: { cert: string; key: string; ca?: string }
}

export interface HttpServer {
  /**
   * Requests whose path begins with `prefix` (`/git/`) go to the handler, on every API listener; the longest
   * prefix wins. `auth: 'caller'`: unix socket or a valid token (Bearer, or Basic with the token as
   * password), else 401. What is returned takes the mount away: it ends streams and lets the rest finish.
   */
  mount(prefix: string, handler: HttpHandler, options: MountOptions): () => Promise<void>
  /** Addresses of the API: `unix:///...`, `http://127.0.0.1:2375`. */
  addresses(): Promise<string[]>
  /** Opens what is new, closes what is gone, reads certificates again; what stays is not interrupted. */
  reload(settings: ListenSettings): Promise<void>
}
export const HttpServer = defineService<HttpServer>('http-server')

export interface Metrics {
  /** `collect` answers in the Prometheus text format 0.0.4 and is asked at every scrape of `/metrics`. */
  add(collect: () => string | Promise<string>): () => void
}
export const Metrics = defineService<Metrics>('metrics')
