import { z } from 'zod'

/** The section `hello` of the daemon's config. */
export const config = z.strictObject({
  greeting: z.string().min(1).default('Hello'),
  /** Where each deploy is told, as JSON by POST; absent: nowhere. */
  webhook: z.url({ protocol: /^https?$/ }).optional(),
  /** Sent as a bearer token. */
  webhookToken: z.string().min(1).optional(),
  /** Seconds that the webhook may take. */
  timeoutSec: z.number().positive().max(60).default(5),
  /** Apps that nobody may deploy to for now. */
  frozen: z.array(z.string()).default([]),
})
export type Config = z.output<typeof config>
