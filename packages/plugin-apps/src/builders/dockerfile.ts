import { invalid } from '@kernel/contracts'
import { hasFile } from '../source/source-files.ts'
import type { SourceBuilder } from './source-plan.ts'

/** Builds the source's own Dockerfile. Without a Procfile the image's command is the web process. */
export const dockerfileBuilder: SourceBuilder = {
  name: 'dockerfile',
  looksFor: 'a Dockerfile',
  detect: ({ dir, dockerfilePath }) => hasFile(dir, dockerfilePath),
  async plan({ dir, dockerfilePath }) {
    if (!(await hasFile(dir, dockerfilePath)))
      throw invalid(`There is no ${dockerfilePath} in the source`, {
        hint: 'Commit it, or set the path: builder-dockerfile:set <app> dockerfile-path <path>',
      })
    return {
      builder: 'dockerfile',
      dockerfile: { path: dockerfilePath },
      hostReason: 'A Dockerfile needs containers, and this host runs apps as plain processes',
      processes: {},
    }
  },
}
