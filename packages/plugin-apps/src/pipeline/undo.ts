/** What has to be taken back where a deploy fails half way. @module */
import type { Logger } from '@kernel/kernel'

/**
 * Steps that are run backwards by `takeBack`, and forgotten by `keep`. A step that fails is told to the log and
 * keeps none of the others from running: what is left over then, the next start removes.
 */
export class Undo {
  readonly #log: Logger
  #steps: Array<{ what: string; step: () => unknown }> = []

  constructor(log: Logger) {
    this.#log = log
  }

  /** @param what for the log: `remove the artifact sha256:...` */
  add(what: string, step: () => unknown): void {
    this.#steps.push({ what, step })
  }

  keep(): void {
    this.#steps = []
  }

  async takeBack(): Promise<void> {
    for (const { what, step } of this.#steps.splice(0).reverse())
      try {
        await step()
      } catch (error) {
        this.#log.warn(`Could not ${what}`, { error })
      }
  }
}
