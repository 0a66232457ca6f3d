import type { AcmeChallenge, Router } from '@kernel/contracts'

/** The pending challenges of all apps: the edge takes them as a whole. */
export class Challenges {
  readonly #router: Pick<Router, 'setChallenges'>
  readonly #pending = new Set<AcmeChallenge>()
  #told: Promise<void> = Promise.resolve()

  constructor(router: Pick<Router, 'setChallenges'>) {
    this.#router = router
  }

  /** Resolves when every listener answers it. */
  present(challenge: AcmeChallenge): Promise<void> {
    this.#pending.add(challenge)
    return this.#tell()
  }

  withdraw(challenge: AcmeChallenge): Promise<void> {
    this.#pending.delete(challenge)
    return this.#tell()
  }

  /** In turn, so that an older set never replaces a newer one. */
  #tell(): Promise<void> {
    const told = this.#told.catch(() => {}).then(() => this.#router.setChallenges([...this.#pending]))
    this.#told = told
    return told
  }
}
