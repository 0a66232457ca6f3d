import { z } from '@hono/zod-openapi'
import type {
  AppReport,
  AppSummary,
  CheckSettings,
  DeployInfo,
  DeployLine,
  LedgerEntry,
  ProcessReport,
  ReleaseInfo,
  SshKey,
  SystemInfo,
  TokenInfo,
} from '@kernel/contracts'
import type { PluginReport } from '@kernel/kernel'
import type { ProblemBody } from '../errors.ts'

/**
 * The shapes of `@kernel/contracts` as zod schemas, for the OpenAPI document and for checking what comes in.
 * `mirrors` makes the compiler compare both ways: a field that is missing here, or there, does not compile.
 */
export function mirrors<T>() {
  return <S extends z.ZodType<T>>(
    name: string,
    schema: Exact<Required<T>, Required<z.output<S>>> extends true ? S : never,
  ): S => schema.openapi(name) as S
}
type Exact<A, B> = [A] extends [B]
  ? [B] extends [A]
    ? [keyof A] extends [keyof B]
      ? true
      : false
    : false
  : false

const counts = z.record(z.string(), z.int().min(0))
const time = z.string().openapi({ format: 'date-time' })
const appState = z.enum(['created', 'deploying', 'running', 'stopped', 'crashed'])
const source = z.enum(['push', 'rollback', 'config', 'rebuild'])

const summaryFields = {
  name: z.string(),
  state: appState,
  urls: z.array(z.string()),
  release: z.string().optional(),
  created: time,
  deployed: time.optional(),
  processes: counts,
  deploy: z.string().optional(),
  locked: z.boolean(),
}

export const appSummary = mirrors<AppSummary>()('AppSummary', z.object(summaryFields))

export const builderReport = z.object({
  selected: z.string().optional(),
  detected: z.string().optional(),
  base: z.string().optional(),
  buildDir: z.string().optional(),
  dockerfilePath: z.string().optional(),
})

export const appReport = mirrors<AppReport>()(
  'AppReport',
  z.object({
    ...summaryFields,
    builder: z.object({
      selected: z.string().optional(),
      detected: z.string().optional(),
      base: z.string().optional(),
    }),
    deployBranch: z.string(),
    keepFrozen: z.int(),
    frozen: z.array(z.string()),
    gitRev: z.string().optional(),
    domains: z.array(z.string()),
    scale: counts,
    artifactSize: z.number().optional(),
    driver: z.enum(['container', 'process']),
  }),
)

const processReport = mirrors<ProcessReport>()(
  'ProcessReport',
  z.object({
    name: z.string(),
    type: z.string(),
    index: z.int(),
    workloadId: z.string(),
    release: z.string(),
    status: z.enum(['running', 'restarting', 'exited', 'frozen']),
    startedAt: time,
    exitCode: z.int().optional(),
    restarts: z.int(),
    address: z.string().optional(),
    notReady: z.string().optional(),
  }),
)

export const processesReport = z.object({
  app: z.string(),
  state: appState,
  scale: counts,
  processes: z.array(processReport),
})

export const releaseInfo = mirrors<ReleaseInfo>()(
  'ReleaseInfo',
  z.object({
    id: z.string(),
    number: z.int(),
    source,
    description: z.string(),
    artifact: z.string(),
    gitRev: z.string().optional(),
    configHash: z.string(),
    procfile: z.record(z.string(), z.string()),
    scale: counts,
    created: time,
    user: z.string().optional(),
    current: z.boolean(),
    pruned: z.boolean().optional(),
    frozen: z.boolean().optional(),
  }),
)

export const deployInfo = mirrors<DeployInfo>()(
  'DeployInfo',
  z.object({
    id: z.string(),
    app: z.string(),
    status: z.enum(['waiting', 'running', 'succeeded', 'failed', 'superseded', 'cancelled']),
    source,
    gitRev: z.string().optional(),
    user: z.string().optional(),
    release: z.string().optional(),
    error: z.string().optional(),
    started: time,
    finished: time.optional(),
    spans: z.array(
      z.object({
        stage: z.enum(['receive', 'extract', 'build', 'release', 'start', 'check', 'switch', 'retire']),
        ms: z.number(),
      }),
    ),
  }),
)

export const deployLine = mirrors<DeployLine>()(
  'DeployLine',
  z.object({ kind: z.enum(['section', 'step', 'detail', 'error']), text: z.string() }),
)

/** A line of an app's log; `data` is text, bytes that are no UTF-8 are replaced. */
export const logLine = z
  .object({ time, process: z.string(), stream: z.union([z.literal(1), z.literal(2)]), data: z.string() })
  .openapi('LogLine')

export const checkSettings = mirrors<CheckSettings>()(
  'CheckSettings',
  z.object({
    enabled: z.boolean(),
    path: z.string().optional(),
    timeout: z.number(),
    attemptTimeout: z.number(),
    waitToRetire: z.number(),
  }),
)

export const sshKey = mirrors<SshKey>()(
  'SshKey',
  z.object({ name: z.string(), fingerprint: z.string(), publicKey: z.string(), added: time }),
)

const tokenFields = { id: z.string(), name: z.string(), created: time, lastUsed: time.optional() }
export const tokenInfo = mirrors<TokenInfo>()('TokenInfo', z.object(tokenFields))
export const newToken = mirrors<TokenInfo & { token: string }>()(
  'NewToken',
  z.object({ ...tokenFields, token: z.string() }),
)

export const ledgerEntry = mirrors<LedgerEntry>()(
  'LedgerEntry',
  z.object({ kind: z.string(), id: z.string(), bytes: z.number(), pinnedBy: z.array(z.string()) }),
)

const endpoint = z.object({ protocol: z.enum(['http', 'https']), host: z.string(), port: z.int() })
export const systemInfo = mirrors<SystemInfo>()(
  'SystemInfo',
  z.object({
    version: z.string(),
    driver: z.enum(['container', 'process']),
    isolated: z.boolean(),
    warning: z.string().optional(),
    dataDir: z.string(),
    api: z.array(z.string()),
    edge: z.array(endpoint),
    ssh: z
      .object({ host: z.string(), port: z.int(), user: z.string(), hostKeyFingerprint: z.string() })
      .optional(),
    domains: z.array(z.string()),
    startedAt: time,
  }),
)

export const pluginReport = mirrors<PluginReport>()(
  'PluginReport',
  z.object({
    name: z.string(),
    version: z.string(),
    state: z.enum(['started', 'disabled', 'failed', 'stopped']),
    provides: z.array(z.string()),
    requires: z.array(z.string()),
    startMs: z.number(),
    reason: z.string().optional(),
  }),
)

/** An event; see Docker's `GET /events`. `timeNano` exceeds what a double holds. */
export const engineEvent = z
  .object({
    Type: z.string(),
    Action: z.string(),
    Actor: z.object({ ID: z.string(), Attributes: z.record(z.string(), z.string()) }),
    scope: z.literal('local'),
    time: z.int(),
    timeNano: z.number(),
  })
  .openapi('EngineEvent')

export const progressMessage = z
  .object({
    status: z.string().optional(),
    id: z.string().optional(),
    progressDetail: z.object({ current: z.number().optional(), total: z.number().optional() }).optional(),
    progress: z.string().optional(),
    stream: z.string().optional(),
    aux: z.unknown(),
  })
  .openapi('ProgressMessage')

export const problem = mirrors<ProblemBody>()(
  'Problem',
  z.object({
    kind: z.enum([
      'not-found',
      'conflict',
      'invalid',
      'denied',
      'unauthorized',
      'unavailable',
      'not-supported',
      'not-modified',
      'full',
      'failed',
    ]),
    message: z.string(),
    hint: z.string(),
  }),
)
