import { invalid } from '@kernel/contracts'
import { quote } from 'shell-quote'
import { checkRelativePath, hasFile, kindOf, readSourceFile } from '../source/source-files.ts'
import { dockerfileText, ignoreText, type SourceBuilder, userLine } from './source-plan.ts'

/** Where the base image keeps the server; a driver without images tells its own place by KERNEL_STATIC_SERVER. */
const server = '/opt/kernel/static-server.mjs'

/** Folders that are a document root where they hold an index.html. */
const roots = ['.', 'public', 'dist', 'static', '_static']

/** Serves files: from the root named in static.json, beside a `.static` marker, or where an index.html is. */
export const staticBuilder: SourceBuilder = {
  name: 'static',
  looksFor:
    'static files (static.json, .static, or index.html at the top or in public, dist, static, _static)',
  detect: async ({ dir }) => (await documentRoot(dir)) !== undefined,
  async plan({ dir, base }) {
    const root = (await documentRoot(dir)) ?? '.'
    return {
      builder: 'static',
      dockerfile: {
        text: dockerfileText([
          `FROM ${base}`,
          'WORKDIR /app',
          `COPY ${JSON.stringify([root === '.' ? '.' : `${root}/`, './'])}`,
          'ENV STATIC_ROOT=/app PORT=5000',
          userLine(base),
          `CMD ["node", "${server}"]`,
        ]),
      },
      dockerignore: ignoreText(await readSourceFile(dir, '.dockerignore'), [
        '.git',
        'Procfile',
        'app.json',
        'static.json',
        '.static',
      ]),
      host: { commands: [] },
      processes: { web: serveLine(root) },
    }
  },
}

/** In an image STATIC_ROOT is set; elsewhere the root is below the working directory. */
function serveLine(root: string): string {
  const folder = root === '.' ? '"$PWD"' : `"$PWD"/${quote([root])}`
  return `[ -n "$STATIC_ROOT" ] || STATIC_ROOT=${folder}; export STATIC_ROOT; exec node "\${KERNEL_STATIC_SERVER:-${server}}" "$STATIC_ROOT"`
}

async function documentRoot(dir: string): Promise<string | undefined> {
  const settings = await readSourceFile(dir, 'static.json')
  if (settings !== undefined) {
    const root = checkRelativePath(rootOf(settings), 'The root in static.json')
    if ((await kindOf(dir, root)) !== 'folder')
      throw invalid(`The root in static.json, ${JSON.stringify(root)}, is no folder of the source`)
    return root
  }
  if (await hasFile(dir, '.static')) return '.'
  for (const root of roots) if (await hasFile(dir, `${root}/index.html`)) return root
  return undefined
}

function rootOf(text: string): string {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw invalid(`Invalid static.json: ${(error as Error).message}`, { cause: error })
  }
  const root = (value as { root?: unknown } | null)?.root ?? '.'
  if (typeof root !== 'string') throw invalid('Invalid static.json: root has to be a text')
  return root
}
