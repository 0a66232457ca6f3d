import { invalid } from '@kernel/contracts'
import { quote } from 'shell-quote'
import { z } from 'zod'
import { isSimpleCommand } from '../command-line.ts'
import { hasFile, readSourceFile } from '../source/source-files.ts'
import { packageManagerOf } from './package-manager.ts'
import { type BuilderInput, dockerfileText, ignoreText, type SourceBuilder, userLine } from './source-plan.ts'

const texts = z.record(z.string(), z.string())
const packageSchema = z.looseObject({
  main: z.string().optional(),
  scripts: texts.default({}),
  dependencies: texts.default({}),
  devDependencies: texts.default({}),
  optionalDependencies: texts.default({}),
  packageManager: z.string().optional(),
  workspaces: z.unknown().optional(),
})
export type PackageJson = z.output<typeof packageSchema>

/** A Node.js app: dependencies in a layer of their own, then the build script, then the source. */
export const nodeBuilder: SourceBuilder = {
  name: 'node',
  looksFor: 'a package.json',
  detect: ({ dir }) => hasFile(dir, 'package.json'),
  async plan({ dir, base, procfile }) {
    const manifest = parsePackage(await readSourceFile(dir, 'package.json'))
    const manager = await packageManagerOf(dir, manifest)
    const { scripts, dependencies, devDependencies, optionalDependencies } = manifest
    const builds = scripts.build !== undefined
    const wanted = { ...dependencies, ...optionalDependencies, ...(builds && devDependencies) }
    const installs = Object.keys(wanted).length > 0 || manifest.workspaces !== undefined
    const install = builds ? manager.installAll : manager.installProduction
    const after = [
      ...(builds ? ['npm run build'] : []),
      ...(builds && installs && manager.prune ? [manager.prune] : []),
    ]
    // Where installing needs more than the manifest, the source has to be there before.
    const sourceFirst = installs && needsSource(manifest, Object.values(wanted))
    const files = JSON.stringify(['package.json', ...manager.files, './'])
    return {
      builder: 'node',
      dockerfile: {
        text: dockerfileText([
          `FROM ${base}`,
          'WORKDIR /app',
          installs && !sourceFirst ? `COPY ${files}` : undefined,
          installs && !sourceFirst ? `RUN ${install}` : undefined,
          'COPY . .',
          sourceFirst ? `RUN ${install}` : undefined,
          ...after.map((line) => `RUN ${line}`),
          'ENV NODE_ENV=production PORT=5000 PATH=/app/node_modules/.bin:$PATH',
          userLine(base),
          `CMD ${JSON.stringify(['npm', 'start'])}`,
        ]),
      },
      dockerignore: ignoreText(await readSourceFile(dir, '.dockerignore'), [
        'node_modules',
        '**/node_modules',
        '.git',
      ]),
      host: {
        commands: [...(installs ? [install] : []), ...after].map((line) => ['/bin/sh', '-c', line]),
      },
      processes: await defaultProcesses(dir, manifest, procfile),
    }
  },
}

function parsePackage(text: string | undefined): PackageJson {
  if (text === undefined)
    throw invalid('The builder node needs a package.json, and there is none in the source')
  try {
    return packageSchema.parse(JSON.parse(text.replace(/^\uFEFF/, '')))
  } catch (error) {
    const why =
      error instanceof z.ZodError
        ? error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ')
        : (error as Error).message
    throw invalid(`Invalid package.json: ${why}`, { cause: error })
  }
}

/** Lifecycle scripts, workspaces and local dependencies read files of the source. */
function needsSource({ scripts, workspaces }: PackageJson, versions: string[]): boolean {
  const lifecycle = ['preinstall', 'install', 'postinstall', 'prepare']
  return (
    workspaces !== undefined ||
    lifecycle.some((name) => name in scripts) ||
    versions.some((version) => /^(file|link|portal):|^\.{0,2}\//.test(version))
  )
}

async function defaultProcesses(
  dir: string,
  manifest: PackageJson,
  procfile: BuilderInput['procfile'],
): Promise<Record<string, string>> {
  return procfile === undefined ? { web: await webLine(dir, manifest) } : {}
}

/**
 * The start script without npm around it, which costs a quarter of a second and swallows signals; npm itself
 * where the script is more than one command.
 */
async function webLine(dir: string, { scripts, main }: PackageJson): Promise<string> {
  const { start } = scripts
  if (start !== undefined) {
    const hooked = 'prestart' in scripts || 'poststart' in scripts || /\bnpm_/.test(start)
    if (hooked || !isSimpleCommand(start)) return 'npm start'
    return /^node\s/.test(start) ? start : `export PATH="$PWD/node_modules/.bin:$PATH"; exec ${start}`
  }
  for (const file of ['server.js', main, 'index.js'])
    if (file !== undefined && (await hasFile(dir, file))) return `node ${quote([file])}`
  throw invalid('package.json does not say how to start the app', {
    hint: 'Add a start script to package.json, or a Procfile with a line such as "web: node app.js".',
  })
}
