/** Where the built product is. The suite knows nothing else of it: no source is imported. @module */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
export const examples = join(root, 'examples')
/** What the suite leaves for people to look at: screenshots. */
export const output = join(root, 'test', 'output')
const bin = join(root, 'apps', 'cli', 'bin', 'kernel.mjs')
const pinnedNode = join(root, 'node_modules', `node-linux-${process.arch}`, 'bin', 'node')

/** The command line that is `kernel`. @throws where nothing was built */
export function kernelCommand(): [program: string, ...args: string[]] {
  if (!existsSync(join(root, 'apps', 'cli', 'dist', 'index.js')))
    throw new Error('There is no built product: run `npx pnpm build` first.')
  return [existsSync(pinnedNode) ? pinnedNode : process.execPath, bin]
}
