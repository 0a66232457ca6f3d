/** What the first-party builders share: their input, and the form of what they make. @module */
import type { BuildPlan } from '@kernel/contracts'

/** Tag of the image that is put together from the machine itself. */
export const defaultBase = 'kernel/base:latest'

export interface BuilderInput {
  /** The source tree, below the build dir. */
  dir: string
  /** Image to build on. */
  base: string
  dockerfilePath: string
  /** From the Procfile; undefined where there is none. */
  procfile?: Record<string, string>
}

export interface SourceBuilder {
  readonly name: string
  /** What detection looks for, for the message when nothing was found. */
  readonly looksFor: string
  detect(input: Pick<BuilderInput, 'dir' | 'dockerfilePath'>): Promise<boolean>
  /** @throws invalid where the source lacks what the builder needs */
  plan(input: BuilderInput): Promise<BuildPlan>
}

/** Dockerfile text from its lines; undefined ones are left out. */
export const dockerfileText = (lines: Array<string | undefined>) =>
  `${lines.filter((line) => line !== undefined).join('\n')}\n`

/** The base image has a user `app` (uid 1000); of a foreign one nothing is known, so it keeps its own user. */
export const userLine = (base: string) => (base === defaultBase ? 'USER app' : undefined)

/** The source's own ignore file with the entries that must never enter. */
export function ignoreText(own: string | undefined, entries: string[]): string {
  return `${own === undefined ? '' : `${own.trimEnd()}\n`}${entries.join('\n')}\n`
}
