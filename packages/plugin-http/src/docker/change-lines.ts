import type { DockerContext } from './types.ts'

/** Instructions in `changes`, which may come several times and have several lines each. */
export function changeLines(context: DockerContext): string[] {
  return (context.req.queries('changes') ?? []).flatMap((text) => text.split(/\r?\n/))
}
