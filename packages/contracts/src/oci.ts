/**
 * Shapes of the OCI image specification v1.1 that cross plugin borders.
 * Source: opencontainers/image-spec, descriptor.md, manifest.md, config.md.
 * @module
 */

/** `sha256:` and 64 lower-case hex digits. */
export type Digest = `sha256:${string}`

export interface Descriptor {
  mediaType: string
  digest: Digest
  /** Bytes. */
  size: number
  platform?: Platform
  annotations?: Record<string, string>
}

export interface Platform {
  /** Go's GOARCH: `amd64`, `arm64`, ... */
  architecture: string
  /** Go's GOOS: `linux`. */
  os: string
  variant?: string
}

/** `POST /containers/create` health check form; durations in nanoseconds, 0 means inherit. */
export interface HealthcheckConfig {
  /** `['NONE']`, `['CMD', ...argv]` or `['CMD-SHELL', line]`. */
  Test?: string[]
  Interval?: number
  Timeout?: number
  StartPeriod?: number
  StartInterval?: number
  Retries?: number
}

/** The `config` object of an image configuration (config.md), with Docker's extensions. */
export interface ImageRunConfig {
  User?: string
  ExposedPorts?: Record<string, Record<string, never>>
  /** `NAME=value` each. */
  Env?: string[]
  Entrypoint?: string[]
  Cmd?: string[]
  Volumes?: Record<string, Record<string, never>>
  WorkingDir?: string
  Labels?: Record<string, string>
  StopSignal?: string
  Healthcheck?: HealthcheckConfig
  Shell?: string[]
  OnBuild?: string[]
}

export interface ImageHistory {
  /** RFC 3339. */
  created?: string
  created_by?: string
  author?: string
  comment?: string
  empty_layer?: boolean
}

export interface ImageConfig extends Platform {
  created?: string
  author?: string
  config?: ImageRunConfig
  rootfs: { type: 'layers'; diff_ids: Digest[] }
  history?: ImageHistory[]
}
