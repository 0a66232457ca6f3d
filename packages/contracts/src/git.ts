/** The repositories behind the apps. @module */
import { defineService } from '@kernel/kernel'

export interface Repositories {
  /** Head of a branch, or undefined. */
  head(
    app: string,
    branch: string,
  ): Promise<{ rev: string; subject: string; author: string; time: string } | undefined>
  /** Writes the tree of a commit into an empty folder, as a push does. @throws not-found */
  checkout(app: string, rev: string, dir: string): Promise<void>
}
export const Repositories = defineService<Repositories>('repositories')
