/**
 * The daemon's settings: command line over environment (`KERNEL_*`) over the config file over defaults.
 * @module
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { hostname } from 'node:os'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { invalid } from '@kernel/contracts'
import { closest } from 'fastest-levenshtein'
import { z } from 'zod'
import { defaultSocket } from '../client/address.ts'

const address = z
  .string()
  .regex(/^(\[[0-9a-f:]+\]|[^:\s]*):\d{1,5}$/i, 'must be ADDRESS:PORT, such as 0.0.0.0:8080')
  .refine((text) => Number(text.slice(text.lastIndexOf(':') + 1)) <= 65_535, 'the port must be at most 65535')
const host = z
  .string()
  .regex(
    /^(unix:\/\/\/.+|tcp:\/\/.+:\d{1,5}|fd:\/\/.*)$/,
    'must be unix:///PATH, tcp://ADDRESS:PORT or fd://',
  )

export const fileSchema = z.strictObject({
  dataDir: z.string().min(1).optional(),
  host: z.union([host, z.array(host)]).optional(),
  http: z.union([address, z.array(address)]).optional(),
  https: z.union([address, z.array(address)]).optional(),
  ssh: z.union([address, z.literal(false)]).optional(),
  tls: z.strictObject({ cert: z.string(), key: z.string(), ca: z.string().optional() }).optional(),
  logFormat: z.enum(['json', 'pretty']).optional(),
  debug: z.boolean().optional(),
  driver: z.enum(['auto', 'container', 'process']).optional(),
  domains: z.array(z.string().min(1)).optional(),
  /** Stop the apps' processes with the daemon; the next start brings them back. */
  stopWorkloads: z.boolean().optional(),
  insecureRegistries: z.array(z.string()).optional(),
  /** Third-party plugins, by package name. */
  plugins: z.array(z.string()).optional(),
  /** Settings of plugins, by plugin name. */
  config: z.record(z.string(), z.unknown()).optional(),
})
export type FileSettings = z.infer<typeof fileSchema>

/** Everything decided. */
export interface Settings {
  dataDir: string
  hosts: string[]
  http: string[]
  https: string[]
  ssh: string | undefined
  tls?: { cert: string; key: string; ca?: string }
  logFormat: 'json' | 'pretty'
  debug: boolean
  driver: 'auto' | 'container' | 'process'
  domains: string[]
  stopWorkloads: boolean
  insecureRegistries: string[]
  plugins: string[]
  config: Record<string, unknown>
  /** Folder of the config file: packages of plugins are looked for from here. */
  configDir: string
}

/** What the command line gives; absent where a flag was not given. */
export interface Flags {
  dataDir?: string
  host?: string[]
  http?: string[]
  https?: string[]
  ssh?: string
  config?: string
  logFormat?: string
  debug?: boolean
  driver?: string
  stopWorkloads?: boolean
}

/** Reads a YAML or JSON file. @throws invalid with the file, the path in it, and the nearest known name of an unknown key */
export function readConfigFile(file: string): FileSettings {
  let document: unknown
  try {
    const text = readFileSync(file, 'utf8')
    document = (file.endsWith('.json') ? JSON.parse(text) : parseYaml(text)) ?? {}
  } catch (error) {
    throw invalid(`The config file ${file} can not be read: ${(error as Error).message}`, { cause: error })
  }
  return check(document, file)
}

/** A parser that most starts need not load. */
function parseYaml(text: string): unknown {
  const { parse } = createRequire(import.meta.url)('yaml') as typeof import('yaml')
  return parse(text)
}

function check(document: unknown, source: string): FileSettings {
  const result = fileSchema.safeParse(document)
  if (result.success) return result.data
  const lines = result.error.issues.map((issue) => {
    if (issue.code === 'unrecognized_keys') {
      const known = knownKeys(issue.path)
      return issue.keys
        .map(
          (key) =>
            `${[...issue.path, key].join('.')} is not known${known.length > 0 ? `. Did you mean ${closest(key, known)}?` : ''}`,
        )
        .join('\n')
    }
    return `${issue.path.join('.') || 'the document'}: ${issue.message}`
  })
  throw invalid(`${source} is not valid:\n${lines.join('\n')}`)
}

function knownKeys(path: PropertyKey[]): string[] {
  if (path.length === 0) return Object.keys(fileSchema.shape)
  return path[0] === 'tls' ? ['cert', 'key', 'ca'] : []
}

const listOf = (value: string | string[] | undefined): string[] | undefined =>
  value === undefined ? undefined : Array.isArray(value) ? value : [value]

/** From the environment, in the file's form, so that the same schema checks both. */
function fromEnvironment(env: NodeJS.ProcessEnv): FileSettings {
  const split = (value: string | undefined) => value?.split(',').filter((part) => part !== '')
  const flag = (value: string | undefined) =>
    value === undefined || value === '' ? undefined : !['0', 'false', 'no'].includes(value.toLowerCase())
  const document = {
    dataDir: env.KERNEL_DATA_DIR || undefined,
    host: split(env.KERNEL_HOSTS),
    http: split(env.KERNEL_HTTP),
    https: split(env.KERNEL_HTTPS),
    ssh: env.KERNEL_SSH === 'false' ? false : env.KERNEL_SSH || undefined,
    logFormat: env.KERNEL_LOG_FORMAT || undefined,
    debug: flag(env.KERNEL_DEBUG),
    driver: env.KERNEL_DRIVER || undefined,
    domains: split(env.KERNEL_DOMAINS),
    stopWorkloads: flag(env.KERNEL_STOP_WORKLOADS),
  }
  return check(
    Object.fromEntries(Object.entries(document).filter(([, value]) => value !== undefined)),
    'The environment',
  )
}

/** @throws invalid */
export function decideSettings(flags: Flags, env: NodeJS.ProcessEnv = process.env): Settings {
  const isRoot = process.getuid?.() === 0
  const configFile = flags.config ?? env.KERNEL_CONFIG
  const file = configFile ? readConfigFile(configFile) : {}
  const environment = fromEnvironment(env)
  const { config: _file, ...given } = flags
  const line = check(
    Object.fromEntries(
      Object.entries({ ...given, ssh: flags.ssh === 'false' ? false : flags.ssh }).filter(
        ([, value]) => value !== undefined,
      ),
    ),
    'The command line',
  )
  const merged: FileSettings = { ...file, ...environment, ...line }
  const configDir = configFile ? dirname(resolve(configFile)) : process.cwd()
  const dataDir =
    merged.dataDir ??
    (isRoot
      ? '/var/lib/kernel'
      : join(env.XDG_DATA_HOME ?? join(env.HOME ?? '.', '.local', 'share'), 'kernel'))
  return {
    dataDir: isAbsolute(dataDir) ? dataDir : resolve(dataDir),
    hosts: listOf(merged.host) ?? hostFromEnvironment(env) ?? [`unix://${defaultSocket(env)}`],
    http: listOf(merged.http) ?? [isRoot ? '0.0.0.0:80' : '0.0.0.0:8080'],
    https: listOf(merged.https) ?? [],
    ssh: merged.ssh === false ? undefined : (merged.ssh ?? '0.0.0.0:2222'),
    tls: merged.tls,
    logFormat: merged.logFormat ?? (process.stdout.isTTY ? 'pretty' : 'json'),
    debug: merged.debug ?? false,
    driver: merged.driver ?? 'auto',
    domains: merged.domains ?? [defaultDomain()],
    stopWorkloads: merged.stopWorkloads ?? false,
    insecureRegistries: merged.insecureRegistries ?? [],
    plugins: merged.plugins ?? [],
    config: merged.config ?? {},
    configDir,
  }
}

/** KERNEL_HOST names the daemon for clients; a daemon started in the same shell listens there. */
function hostFromEnvironment(env: NodeJS.ProcessEnv): string[] | undefined {
  return env.KERNEL_HOST && host.safeParse(env.KERNEL_HOST).success ? [env.KERNEL_HOST] : undefined
}

/** A full host name where the machine has one, else `localhost`, whose subdomains browsers find by themselves. */
function defaultDomain(): string {
  const name = hostname().toLowerCase()
  return /^[a-z0-9-]+(\.[a-z0-9-]+)+$/.test(name) && !name.endsWith('.local') ? name : 'localhost'
}
