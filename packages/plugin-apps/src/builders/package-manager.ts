/** Which program installs the dependencies of a Node.js app: told by its lock file. @module */
import { hasFile } from '../source/source-files.ts'

export interface PackageManager {
  /** Files beside package.json that installing reads. */
  files: string[]
  installProduction: string
  installAll: string
  /** Takes development dependencies away after the build. */
  prune?: string
}

export async function packageManagerOf(
  dir: string,
  manifest: { packageManager?: string },
): Promise<PackageManager> {
  const quiet = '--no-audit --no-fund'
  const npmrc = (await hasFile(dir, '.npmrc')) ? ['.npmrc'] : []
  const has = (name: string) => hasFile(dir, name)
  const prune = `npm prune --omit=dev ${quiet}`
  for (const lock of ['package-lock.json', 'npm-shrinkwrap.json'])
    if (await has(lock))
      return {
        files: [lock, ...npmrc],
        installProduction: `npm ci --omit=dev ${quiet}`,
        installAll: `npm ci --include=dev ${quiet}`,
        prune,
      }
  if (await has('pnpm-lock.yaml')) {
    const pnpm = `npx --yes ${pinned('pnpm', manifest)}`
    const workspace = (await has('pnpm-workspace.yaml')) ? ['pnpm-workspace.yaml'] : []
    return {
      files: ['pnpm-lock.yaml', ...workspace, ...npmrc],
      installProduction: `${pnpm} install --frozen-lockfile --prod`,
      installAll: `${pnpm} install --frozen-lockfile --prod=false`,
      prune: `CI=1 ${pnpm} prune --prod`,
    }
  }
  if (await has('yarn.lock')) {
    const yarn = `npx --yes ${pinned('yarn', manifest)}`
    return {
      files: ['yarn.lock', ...npmrc],
      installProduction: `${yarn} install --frozen-lockfile --production`,
      installAll: `${yarn} install --frozen-lockfile --production=false`,
    }
  }
  return {
    files: npmrc,
    installProduction: `npm install --omit=dev --no-package-lock ${quiet}`,
    installAll: `npm install --include=dev --no-package-lock ${quiet}`,
    prune,
  }
}

/** `pnpm@9.1.0` where package.json pins it (`packageManager`, with a hash or without), else the name. */
function pinned(name: string, { packageManager = '' }: { packageManager?: string }): string {
  const version = new RegExp(`^${name}@(\\d[\\w.-]*)`).exec(packageManager)?.[1]
  return version === undefined ? name : `${name}@${version}`
}
