import type {
  Containers,
  Events,
  HttpEnvironment,
  ImageBuilder,
  Images,
  Networks,
  Volumes,
} from '@kernel/contracts'
import type { Context } from 'hono'
import type { ApiVersion } from './versions.ts'

/** What Docker's API is served from. */
export interface DockerServices {
  containers: Containers
  images: Images
  builder: ImageBuilder
  networks: Networks
  volumes: Volumes
  events: Events
  engine: EngineFacts
}

/** What `/version` and `/info` say of the engine itself. */
export interface EngineFacts {
  /** Of the product, such as `0.1.0`. */
  version: string
  dataDir: string
  /** Unique to this data dir; stable over restarts. */
  id: string
  /** RFC 3339. */
  startedAt: string
}

export interface DockerTypes {
  Bindings: HttpEnvironment
  Variables: { version: ApiVersion }
}
export type DockerContext = Context<DockerTypes>
export type DockerHandler = (context: DockerContext) => Response | Promise<Response>
