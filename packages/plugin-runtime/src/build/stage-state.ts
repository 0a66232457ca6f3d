/** What a stage is, step by step: layers, configuration, variables, and the key that its cache goes by. @module */
import { createHash } from 'node:crypto'
import type { Digest, ImageConfig, ImageHistory, ImageRunConfig } from '@kernel/contracts'
import type { Variables } from './expand.ts'

/** Build arguments that need no ARG; their values stay out of the cache key and of history. */
const predefinedArgs = new Set(
  ['HTTP_PROXY', 'HTTPS_PROXY', 'FTP_PROXY', 'NO_PROXY', 'ALL_PROXY'].flatMap((name) => [
    name,
    name.toLowerCase(),
  ]),
)

/** What a stage begins with: an image, or another stage. */
export interface StageBase {
  key: string
  config: ImageConfig
  /** The image at the bottom, for Docker's parent field. */
  image?: Digest
}

export class StageState {
  config: ImageRunConfig
  diffIds: Digest[]
  history: ImageHistory[]
  /** Hash over all that led here: equal keys mean equal contents. */
  key: string
  shell: string[]
  readonly base: StageBase | undefined
  readonly platform: { architecture: string; os: string; variant?: string }
  /** ARGs declared in this stage so far, with their values. */
  readonly args = new Map<string, string>()
  readonly #given: Record<string, string>

  /** `base` undefined is scratch. `given`: build arguments of the caller. */
  constructor(base: StageBase | undefined, given: Record<string, string>, platform: StageState['platform']) {
    this.base = base
    this.platform = base
      ? {
          architecture: base.config.architecture,
          os: base.config.os,
          ...(base.config.variant ? { variant: base.config.variant } : {}),
        }
      : platform
    this.config = structuredClone(base?.config.config ?? {})
    this.diffIds = [...(base?.config.rootfs.diff_ids ?? [])]
    this.history = structuredClone(base?.config.history ?? [])
    this.key = hashOf('from', base?.key ?? 'scratch')
    this.shell = this.config.Shell ?? ['/bin/sh', '-c']
    this.#given = given
    // ONBUILD triggers run once, in the first build on top.
    delete this.config.OnBuild
    for (const [name, value] of Object.entries(given))
      if (predefinedArgs.has(name)) this.args.set(name, value)
  }

  /** Values for `$NAME`: ENV before ARG. */
  readonly variables: Variables = (name) => this.env().get(name) ?? this.args.get(name)

  env(): Map<string, string> {
    return new Map(
      (this.config.Env ?? []).map((pair) => {
        const at = pair.indexOf('=')
        return [pair.slice(0, at), pair.slice(at + 1)]
      }),
    )
  }

  setEnv(name: string, value: string): void {
    const env = this.env()
    env.set(name, value)
    this.config.Env = [...env].map(([key, each]) => `${key}=${each}`)
  }

  /** Declares an ARG: the caller's value, else the default, else the one from before the first FROM. */
  declareArg(name: string, fallback: string | undefined, global: Map<string, string>): void {
    const value = this.#given[name] ?? fallback ?? global.get(name)
    if (value !== undefined) this.args.set(name, value)
  }

  /** What RUN sees beside ENV; predefined proxies count for nothing in the key. */
  keyedArgs(): Array<[string, string]> {
    return [...this.args].filter(([name]) => !predefinedArgs.has(name)).sort(([a], [b]) => (a < b ? -1 : 1))
  }

  /** Another step was done; `parts` are all that its result depends on. */
  advance(...parts: unknown[]): void {
    this.key = hashOf(this.key, ...parts)
  }

  record(createdBy: string, diffId: Digest | undefined, created: string): void {
    if (diffId) this.diffIds.push(diffId)
    this.history.push({ created, created_by: createdBy, ...(diffId ? {} : { empty_layer: true }) })
  }

  imageConfig(created: string): ImageConfig {
    return {
      ...this.platform,
      created,
      config: this.config,
      rootfs: { type: 'layers', diff_ids: this.diffIds },
      history: this.history,
    }
  }
}

export function hashOf(...parts: unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex')
}
