import { access } from 'node:fs/promises'
import { join } from 'node:path'
import type { BuildPlan } from '@kernel/contracts'

/** What makes a source an app of this builder: a file that is to be served. */
const file = 'hello.txt'

const server = `require('node:http').createServer((_, answer) => answer.end(require('node:fs').readFileSync('${file}'))).listen(process.env.PORT)`

export async function detect({ dir }: { dir: string }): Promise<string | undefined> {
  return access(join(dir, file)).then(
    () => 'hello',
    () => undefined,
  )
}

/** The same app for both drivers: as an image on the base image, and as a plain process. */
export const plan: BuildPlan = {
  builder: 'hello',
  dockerfile: { text: `FROM kernel/base:latest\nWORKDIR /app\nCOPY ${file} ./\nUSER app\n` },
  host: { commands: [] },
  processes: { web: `exec node -e "${server}"` },
}
