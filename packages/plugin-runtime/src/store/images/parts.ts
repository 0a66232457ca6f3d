/** What the parts of the image store share. @module */
import type { Digest } from '@kernel/contracts'
import type { Logger } from '@kernel/kernel'
import type { Content } from '../content.ts'
import type { Holds } from '../holds.ts'
import type { LayerStore } from '../layers/layer-store.ts'
import type { Records } from '../records.ts'

/** What happened to an image, in the words of Docker's events. */
export interface ImageEvent {
  action: 'pull' | 'tag' | 'untag' | 'delete' | 'load' | 'import' | 'save' | 'push' | 'prune'
  /** The image's id; for `pull` the name, as with dockerd. */
  id: string
  /** The name concerned, in familiar form. */
  name?: string
}

export interface ImageParts {
  records: Records
  content: Content
  layers: LayerStore
  holds: Holds
  log: Logger
  emit: (event: ImageEvent) => void
  users: ImageUsers
}

/** The containers that use an image; only containers/ knows them. */
export interface ImageUsers {
  of: (id: Digest) => string[]
  isRunning: (containerId: string) => boolean
}

/** Twelve hex digits, as people know ids. */
export const shortId = (id: string): string => id.replace(/^sha256:/, '').slice(0, 12)
