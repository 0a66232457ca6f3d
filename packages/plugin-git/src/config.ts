/** Settings of the plugin. @module */
import { z } from 'zod'

const MiB = 1024 * 1024

/** Bounds on what a push may bring. Sizes in bytes. */
export const limitsSchema = z.strictObject({
  /** Of one push, as it comes over the wire. */
  packBytes: z
    .int()
    .positive()
    .default(1024 * MiB),
  /** Of one file. */
  fileBytes: z
    .int()
    .positive()
    .default(1024 * MiB),
  /** Of all files of a checkout, submodules included. */
  treeBytes: z
    .int()
    .positive()
    .default(4096 * MiB),
  /** Files of a checkout, submodules included. */
  files: z.int().positive().default(200_000),
  /** Of one path, in bytes. */
  pathLength: z.int().positive().max(4096).default(1024),
  /** Folders within folders. */
  pathDepth: z.int().positive().default(64),
  /** Submodules of a checkout, those of submodules included. */
  submodules: z.int().nonnegative().default(50),
  /** How long git may still go on after its client has gone, in seconds, until the push has arrived. */
  detachedSeconds: z.int().positive().max(2_000_000).default(3600),
})
export type Limits = z.infer<typeof limitsSchema>

export const configSchema = z.strictObject({
  /** The daemon's data directory. */
  dataDir: z.string().min(1),
  /** `ADDRESS:PORT` of the SSH server; undefined: no SSH server. */
  listen: z
    .string()
    .regex(/^(\[[0-9a-f:]+\]|[^:\s]*):\d{1,5}$/i, 'must be ADDRESS:PORT')
    .optional(),
  /** The `kernel` command: program and first arguments. */
  cli: z.array(z.string().min(1)).min(1),
  /** The daemon's own API (`unix:///...`), for that command. */
  host: z.string().optional(),
  /** The `authorized_keys` of a user of the system's sshd, kept in step with the keys. */
  authorizedKeysFile: z.string().startsWith('/').optional(),
  /** How submodules may be fetched. */
  submoduleProtocols: z.array(z.enum(['https', 'ssh', 'http', 'git', 'file'])).default(['https', 'ssh']),
  limits: limitsSchema.prefault({}),
})
