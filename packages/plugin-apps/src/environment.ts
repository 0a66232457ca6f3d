/** The environment of an app's processes. @module */
import { createHash, randomBytes } from 'node:crypto'
import { invalid } from '@kernel/contracts'
import type { AppJson } from './source/app-json.ts'

export type Environment = Record<string, string>

/** A hash that tells whether two configs are the same and says nothing about their values. */
export function configHash(env: Environment): string {
  const hash = createHash('sha256')
  for (const name of Object.keys(env).sort()) hash.update(`${name}\0${env[name]}\0`)
  return `sha256:${hash.digest('hex')}`
}

export const sameConfig = (a: Environment, b: Environment) => configHash(a) === configHash(b)

/** The app's config above the global one. */
export const mergedConfig = (global: Environment, app: Environment): Environment => ({ ...global, ...app })

/**
 * What app.json gives an app at its first deploy, for variables that are not set.
 * @throws invalid where a required one has no value
 */
export function defaultsOf(declared: AppJson['env'], set: Environment, app: string): Environment {
  const defaults: Environment = {}
  const missing: string[] = []
  for (const [name, { value, generator, required }] of Object.entries(declared)) {
    if (name in set) continue
    if (value !== undefined) defaults[name] = value
    else if (generator === 'secret') defaults[name] = randomBytes(32).toString('hex')
    else if (required !== false) missing.push(name)
  }
  if (missing.length > 0)
    throw invalid(
      `app.json requires ${missing.join(', ')}, and ${missing.length === 1 ? 'it is' : 'they are'} not set`,
      {
        hint: `Set it before the first deploy: config:set ${app} ${missing.map((name) => `${name}=...`).join(' ')}`,
      },
    )
  return defaults
}

const defaultPort = 5000

/** Where the web process listens: PORT of the config, else what the image exposes, else 5000. */
export function webPort(env: Environment, exposedPort: number | undefined): number {
  const { PORT } = env
  if (PORT === undefined) return exposedPort ?? defaultPort
  const port = Number(PORT)
  if (!Number.isInteger(port) || port < 1 || port > 65535)
    throw invalid(`PORT in the config is ${JSON.stringify(PORT)}, which is no port`, {
      hint: 'Give a number from 1 to 65535, or unset it.',
    })
  return port
}

/** The lowest TCP port of an image's `ExposedPorts`; the object has no order of its own. */
export function exposedTcpPort(exposed: Record<string, unknown> | undefined): number | undefined {
  const ports = Object.keys(exposed ?? {})
    .map((key) => /^(\d+)(\/tcp)?$/.exec(key)?.[1])
    .filter((port) => port !== undefined)
    .map(Number)
  return ports.length === 0 ? undefined : Math.min(...ports)
}
