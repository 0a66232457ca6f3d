/** What a checkout works with. @module */
import type { Limits } from '../config.ts'
import type { Git } from './git.ts'

export interface CheckoutTools {
  git: Git
  limits: Limits
  /** Each checkout makes a folder in here, for index files and fetched submodules, and removes it. */
  tempDir: string
  submoduleProtocols: string[]
  /** The repository of an app of this server, for submodules with a relative URL. */
  repositoryOf(app: string): Promise<string | undefined>
}
