/** The four first-party builders, in the order in which they are asked. @module */
import { invalid } from '@kernel/contracts'
import { topNames } from '../source/source-files.ts'
import { dockerfileBuilder } from './dockerfile.ts'
import { nodeBuilder } from './node.ts'
import { procfileBuilder } from './procfile.ts'
import type { BuilderInput, SourceBuilder } from './source-plan.ts'
import { staticBuilder } from './static.ts'

export const sourceBuilders: readonly SourceBuilder[] = [
  dockerfileBuilder,
  nodeBuilder,
  staticBuilder,
  procfileBuilder,
]

export const builderNamed = (name: string) => sourceBuilders.find((builder) => builder.name === name)

/** The first builder that finds what it looks for. */
export async function detectBuilder(
  input: Pick<BuilderInput, 'dir' | 'dockerfilePath'>,
): Promise<string | undefined> {
  for (const builder of sourceBuilders) if (await builder.detect(input)) return builder.name
  return undefined
}

/** For when no builder, first-party or not, knows the source. */
export async function nothingToBuild(dir: string) {
  const looked = sourceBuilders.map(({ looksFor }) => looksFor).join(', ')
  const names = await topNames(dir)
  const shown = names.slice(0, 12).join(' ') + (names.length > 12 ? ' ...' : '')
  return invalid(`No builder knows how to build this source. Looked for: ${looked}`, {
    hint:
      names.length === 0
        ? 'The tree is empty.'
        : `The tree has: ${shown}. Choose one yourself: builder:set <app> selected <builder>`,
  })
}
