/** What clients were told, part by part. @module */

/** Each part maps names to what is known of them. */
export interface World {
  apps: Record<string, AppWorld>
  /** tag -> id */
  images: Record<string, string>
  /** name -> content of its file `file`; without the anonymous ones */
  volumes: Record<string, string>
  /** name -> id */
  networks: Record<string, string>
  /** By name, without those of apps. */
  containers: Record<string, { id: string; image: string; state: string }>
  keys: string[]
  tokens: string[]
}

export interface AppWorld {
  state: string
  config: Record<string, string>
  scale: Record<string, number>
  domains: string[]
  /** `v3 push`, the newest first; old ones are removed in time. */
  releases: string[]
  current: string
  /** What a visitor sees; empty where there is nothing to be seen. */
  page: string
}
