import { z } from 'zod'

const file = z.string().min(1)

/** Settings of the HTTP server. */
export const httpConfig = z.strictObject({
  dataDir: z.string().startsWith('/'),
  /** `unix:///path`, `tcp://host:port`, `fd://`. Empty: nothing listens. */
  hosts: z.array(z.string()).default([]),
  /** For every `tcp://` address; paths of PEM files. */
  tls: z.strictObject({ cert: file, key: file, ca: file.optional() }).optional(),
  /** The group that may use the unix sockets, by name or number; absent: root alone. */
  socketGroup: z.string().optional(),
  /** Host names, beside addresses and `localhost`, under which browsers reach the dashboard. */
  trustedHosts: z.array(z.string()).default([]),
  /** The folder of the built dashboard. */
  webRoot: z.string().optional(),
  /** Of the product. */
  version: z.string().optional(),
  /** Seconds that answers under way have at a stop. */
  graceSec: z.number().min(0).default(10),
})
