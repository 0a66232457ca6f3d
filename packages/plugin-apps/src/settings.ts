/** The plugin's settings, as the composition root gives them. @module */
import { z } from 'zod'

const seconds = z.number().min(0).max(86_400)

export const settingsSchema = z.strictObject({
  /** Folder of the daemon's state. */
  dataDir: z.string().min(1),
  /** Apps answer at `name.DOMAIN` for each. */
  domains: z.array(z.string().min(1)).default(['localhost']),
  /** Whether a push to an app that is not there makes it. */
  createOnPush: z.boolean().default(true),
  /** Releases that can be rolled back to, beside the current one. */
  keepReleases: z.number().int().min(1).max(100).default(5),
  /** Deploys whose output is kept, an app. */
  keepDeploys: z.number().int().min(1).max(1000).default(20),
  /** Seconds until a process must be ready. */
  checkTimeoutSec: seconds.default(60),
  /** Seconds of a single attempt. */
  attemptTimeoutSec: seconds.default(5),
  /** Seconds that old processes may finish their requests. */
  waitToRetireSec: seconds.default(60),
  /** Seconds between SIGTERM and SIGKILL. */
  stopTimeoutSec: seconds.default(30),
  /**
   * Seconds that a process without port and checks has to stay up. A missing module, file or variable ends a
   * process within a second or two of its start; longer waits catch little and are paid at every deploy.
   */
  uptimeSec: seconds.default(2),
  /** Seconds before a process that fails its liveness check again is started once more; doubles up to 5 minutes. */
  livenessBackoffSec: seconds.default(10),
  /** Seconds that lie between two looks at a running process at least, whatever its app.json says. */
  leastCheckWaitSec: z.number().positive().max(3600).default(1),
  /** How often a process that fails is started again. */
  maxRetries: z.number().int().min(0).max(1000).default(10),
  /** Bytes of memory a process may use; absent: no limit. */
  processMemory: z.number().int().positive().optional(),
  /** Processes and threads that one process may have; absent: no limit. */
  processPids: z.number().int().positive().optional(),
})
export type Settings = z.output<typeof settingsSchema>
