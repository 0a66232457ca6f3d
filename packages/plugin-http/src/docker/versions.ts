import { invalid } from '@kernel/contracts'

/** A version of the Docker Engine API; all there are begin with `1.`. */
export interface ApiVersion {
  readonly minor: number
  /** `1.51`. */
  readonly text: string
}

const version = (minor: number): ApiVersion => ({ minor, text: `1.${minor}` })

/** What requests without a version are answered in. Clients that speak more negotiate down to it. */
export const maximumVersion = version(51)
/** docker-compose 1.29 still speaks 1.24. */
export const minimumVersion = version(24)

/** Splits `/v1.44/containers/json` into version and the rest; without a version the first is undefined. */
export function splitVersion(path: string): { prefix: string | undefined; rest: string } {
  const [, prefix, rest] = /^\/v(\d+\.\d+)(\/.*)$/.exec(path) ?? []
  return rest === undefined ? { prefix: undefined, rest: path } : { prefix, rest }
}

/** The version a request is made in. @throws invalid in dockerd's words, which clients show to people */
export function requestedVersion(path: string): ApiVersion {
  const { prefix } = splitVersion(path)
  if (prefix === undefined) return maximumVersion
  const [major = 0, minor = 0] = prefix.split('.').map(Number)
  if (major > 1 || (major === 1 && minor > maximumVersion.minor))
    throw invalid(
      `client version ${prefix} is too new. Maximum supported API version is ${maximumVersion.text}`,
    )
  if (major < 1 || minor < minimumVersion.minor)
    throw invalid(
      `client version ${prefix} is too old. Minimum supported API version is ${minimumVersion.text}, please upgrade your client to a newer version`,
    )
  return version(minor)
}
