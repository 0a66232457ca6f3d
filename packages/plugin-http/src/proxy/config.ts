import { isIP } from 'node:net'
import { resolve } from 'node:path'
import { z } from 'zod'
import type { EdgeSettings } from './messages.ts'

const seconds = z.number().positive().max(86_400)

const network = z.string().refine((text) => {
  const [address = '', bits, ...rest] = text.split('/')
  const family = isIP(address)
  if (family === 0 || rest.length > 0) return false
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128))
}, 'must be an address or a subnet such as 10.0.0.0/8')

/** Settings of the edge. */
export const edgeConfig = z.strictObject({
  dataDir: z.string().startsWith('/'),
  /** `host:port`, IPv6 in brackets. Empty: nothing listens. */
  listen: z.array(z.string()).default(['0.0.0.0:80']),
  /** The same, for TLS: HTTP/2 and HTTP/1.1 by the certificates of the apps. */
  listenTls: z.array(z.string()).default([]),
  /** Listener threads; one a core, 8 at most, unless told. */
  threads: z.int().min(1).max(64).optional(),
  /** How long a request waits for a route that switches, or for the daemon to start. */
  holdTimeoutSec: seconds.default(30),
  /** How many may wait at one time. */
  maxHeld: z.int().min(0).default(4096),
  /** How long a target may take until the first byte of its answer, or until it takes more of a body. */
  responseTimeoutSec: seconds.default(60),
  connectTimeoutSec: seconds.default(5),
  /** How long an idle connection of a visitor stays open: longer than load balancers in front keep theirs. */
  keepAliveSec: seconds.default(65),
  maxHeaderBytes: z
    .int()
    .min(1024)
    .max(1 << 20)
    .default(16 << 10),
  maxHeaders: z.int().min(10).max(1000).default(128),
  /** Addresses or subnets of proxies in front, whose X-Forwarded-* are believed. */
  trustedProxies: z.array(network).default([]),
  /**
   * Connections begin with a header of the PROXY protocol (v1 or v2): all of them, or those of trustedProxies where
   * there are any. Switch it on only where a balancer in front speaks it.
   */
  proxyProtocol: z.boolean().default(false),
  /** `off`, or a file (relative to dataDir) that gets one JSON line a request. */
  accessLog: z.string().min(1).default('off'),
  /** Seconds that requests under way have at a stop. */
  graceSec: z.number().min(0).default(10),
})
export type EdgeConfig = z.output<typeof edgeConfig>

/** The settings as the listener threads take them. */
export function settingsOf(config: EdgeConfig): EdgeSettings {
  return {
    holdTimeoutMs: config.holdTimeoutSec * 1000,
    maxHeld: config.maxHeld,
    responseTimeoutMs: config.responseTimeoutSec * 1000,
    connectTimeoutMs: config.connectTimeoutSec * 1000,
    keepAliveMs: config.keepAliveSec * 1000,
    goneMs: 1_000,
    downMs: 2_000,
    maxHeaderBytes: config.maxHeaderBytes,
    maxHeaders: config.maxHeaders,
    headersTimeoutMs: 20_000,
    trustedProxies: config.trustedProxies,
    proxyProtocol: config.proxyProtocol,
    ...(config.accessLog !== 'off' && { accessLog: resolve(config.dataDir, config.accessLog) }),
  }
}
