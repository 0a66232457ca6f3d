/** What a round does: an operation of a user, and the worlds that may be found when the daemon dies in it. @module */
import type { Lab } from './lab.ts'
import type { World } from './told.ts'

export interface Step {
  /** Does it as a client; answers whether the client was told that it is done. */
  act(): Promise<boolean>
  /** Changes a copy of the world before into that after. */
  after(world: World): void
  /**
   * Worlds that are neither: a command of a client that is several requests, each of which is whole or not there.
   */
  between?: Array<(world: World) => void>
  /** Names of running containers that it may end or replace; the others keep their process. */
  touches?(container: string): boolean
  /** What else has to be so, whether it was done or not. */
  also?(told: boolean): Promise<string[]>
  /** Takes away what the round has left, for the next one. */
  clear?(): Promise<unknown>
}

/** Prepares a step. `chance`: from 0 up to 1. */
export type Operation = (lab: Lab, world: World, chance: () => number) => Promise<Step>

export const ofShop = (container: string) => container.startsWith('shop.')
