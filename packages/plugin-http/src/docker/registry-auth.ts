import { invalid, type RegistryAuth } from '@kernel/contracts'
import { parseJson } from '../json.ts'
import { authConfig } from './bodies.ts'
import type { Shaped } from './go-shape.ts'

/**
 * The header `X-Registry-Auth`: an AuthConfig as base64url of JSON, padded or not; undefined where it is
 * absent or empty (`{}`).
 * @throws invalid
 */
export function parseRegistryAuth(header: string | undefined): RegistryAuth | undefined {
  if (header === undefined || header === '') return undefined
  return toRegistryAuth(authConfig(decode(header, 'X-Registry-Auth'), 'AuthConfig'))
}

/** The header `X-Registry-Config` of builds: registry -> AuthConfig. @throws invalid */
export function parseRegistryConfig(header: string | undefined): Record<string, RegistryAuth> {
  if (header === undefined || header === '') return {}
  const parsed = decode(header, 'X-Registry-Config')
  if (typeof parsed !== 'object' || parsed === null) return {}
  const entries = Object.entries(parsed).flatMap(([host, value]) => {
    const auth = toRegistryAuth(authConfig(value, `AuthConfig.${host}`))
    return auth === undefined ? [] : [[host, auth] as const]
  })
  return Object.fromEntries(entries)
}

/** Leaves out what is empty; `auth` (user and password in base64) fills in where these are missing. */
function toRegistryAuth(config: Shaped<typeof authConfig>): RegistryAuth | undefined {
  const pair = config.auth ? Buffer.from(config.auth, 'base64').toString('utf8') : ''
  const [user = '', ...password] = pair.split(':')
  const auth: RegistryAuth = {
    username: config.username || user || undefined,
    password: config.password || password.join(':') || undefined,
    identityToken: config.identitytoken || undefined,
    registryToken: config.registrytoken || undefined,
    serverAddress: config.serveraddress || undefined,
  }
  const given = Object.entries(auth).filter(([, value]) => value !== undefined)
  return given.length === 0 ? undefined : Object.fromEntries(given)
}

/** Buffer reads both alphabets of base64, with and without padding. */
function decode(header: string, name: string): unknown {
  try {
    return parseJson(Buffer.from(header, 'base64').toString('utf8'))
  } catch (error) {
    throw invalid(`The header ${name} is no base64 of JSON`, { cause: error })
  }
}
