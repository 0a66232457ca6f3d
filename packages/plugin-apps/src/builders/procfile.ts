import { invalid } from '@kernel/contracts'
import { hasFile, readSourceFile } from '../source/source-files.ts'
import { dockerfileText, ignoreText, type SourceBuilder, userLine } from './source-plan.ts'

/** Copies the source as it is; the Procfile says what runs. */
export const procfileBuilder: SourceBuilder = {
  name: 'procfile',
  looksFor: 'a Procfile',
  detect: ({ dir }) => hasFile(dir, 'Procfile'),
  async plan({ dir, base, procfile }) {
    if (procfile === undefined)
      throw invalid('The builder procfile needs a Procfile, and there is none in the source', {
        hint: 'Commit one, such as: web: ./server',
      })
    return {
      builder: 'procfile',
      dockerfile: {
        text: dockerfileText([`FROM ${base}`, 'WORKDIR /app', 'COPY . .', userLine(base)]),
      },
      dockerignore: ignoreText(await readSourceFile(dir, '.dockerignore'), ['.git']),
      host: { commands: [] },
      processes: {},
    }
  },
}
