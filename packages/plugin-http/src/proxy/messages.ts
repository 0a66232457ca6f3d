/** What the daemon and its listener threads say to each other, beside the memory they share. @module */
import type { AcmeChallenge, EdgeCertificate, EdgePage, SitePolicy } from '@kernel/contracts'
import type { WasmMemory } from '@kernel/core-wasm'

export interface ListenPoint {
  host: string
  port: number
  tls: boolean
}

/** Everything that bounds a visitor or a target. Times in milliseconds. */
export interface EdgeSettings {
  /** How long a request waits for a route that is switching, or for the daemon. */
  holdTimeoutMs: number
  /** Requests that may wait at one time; shared out evenly among the threads. */
  maxHeld: number
  /** From the request, or the last of its body, to the first byte of the answer. */
  responseTimeoutMs: number
  connectTimeoutMs: number
  /** How long a visitor's idle connection stays open. */
  keepAliveMs: number
  /** How long a request whose targets all refuse waits for other routes. */
  goneMs: number
  /** How long a target that refused a connection is passed over. */
  downMs: number
  /** Of one request's head. */
  maxHeaderBytes: number
  maxHeaders: number
  /** Time to send a request's head. */
  headersTimeoutMs: number
  /** Addresses or subnets (`10.0.0.0/8`) whose X-Forwarded-* are believed. */
  trustedProxies: string[]
  /** Connections, of trusted proxies where there are any, begin with a header of the PROXY protocol. */
  proxyProtocol: boolean
  /** A file that gets one JSON line a request. */
  accessLog?: string
}

/** A route's value in the table, as JSON. */
export interface RouteValue {
  app: string
  state: 'up' | 'hold' | 'down'
  targets: RoutedTarget[]
  /** Without its pages, which would be there once for each route. */
  policy?: SitePolicy
}

export interface RoutedTarget {
  id: string
  /** Its place in the shared counts. */
  slot: number
  /** `http://10.0.0.2:5000`. */
  origin: string
}

/** `workerData` of a thread. */
export interface ThreadData {
  index: number
  threads: number
  routes: WasmMemory
  inFlight: SharedArrayBuffer
  listen: ListenPoint[]
  /** False where the platform cannot share a port between sockets. */
  reusePort: boolean
  /** 48 random bytes: a TLS session that began at one thread goes on at another. */
  ticketKeys: Uint8Array
  /** Counts of all threads, and the secret that spreads them. */
  rateLimits: SharedArrayBuffer
  rateSeed: string
  settings: EdgeSettings
  /** What holds since before this thread began. */
  orders: Order[]
}

export type OwnPages = Partial<Record<EdgePage, string>>

/** What a thread is told once and keeps; the last of a kind holds. */
export type Order =
  | { kind: 'certificates'; certificates: EdgeCertificate[] }
  | { kind: 'challenges'; challenges: AcmeChallenge[] }
  | { kind: 'pages'; defaults: OwnPages; apps: Map<string, OwnPages> }

export type ToThread =
  | { kind: 'measure'; id: number }
  | { kind: 'order'; id: number; order: Order }
  /** These targets are gone: close what is idle, and the rest when it has ended. */
  | { kind: 'retire'; origins: string[] }
  /** Ends the upgraded connections to these targets. */
  | { kind: 'cut'; slots: number[] }
  | { kind: 'close'; graceMs: number }

export type FromThread =
  | { kind: 'listening'; ports: number[] }
  | { kind: 'measured'; id: number; measures: Measures }
  | { kind: 'obeyed'; id: number; error?: string }
  | { kind: 'warning'; message: string; fields: Record<string, unknown> }

/** What a thread has counted since it was asked last, and how things are now. */
export interface Measures {
  apps: AppMeasures[]
  connections: number
  held: number
}

export interface AppMeasures {
  /** Empty for requests that no route fits. */
  app: string
  /** Answers by the first digit of their status; the first for visitors who left before it. */
  statuses: number[]
  /** Answers by the time to their first byte: one for each of TIME_BUCKETS, and one for what took longer. */
  times: number[]
  /** Sum of these times. */
  seconds: number
}

/** Upper bounds in seconds. */
export const TIME_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]
