import { z } from 'zod'

export const settingsSchema = z.strictObject({
  dataDir: z.string().startsWith('/'),
  /** The port that visitors find https at, where another one is in front of the edge; absent: the edge's own. */
  httpsPort: z.int().min(1).max(65_535).optional(),
  /** Seconds between two looks at what is to be renewed. */
  renewCheckSec: z.number().positive().max(86_400).default(43_200),
  /** Seconds until a renewal that failed is tried again; twice as long each time, at most a day. */
  renewRetrySec: z.number().positive().max(86_400).default(3_600),
})
export type Settings = z.output<typeof settingsSchema>
