/** Git and the apps tell the same: a branch is at the commit that was deployed last. @module */
import { join } from 'node:path'
import { run } from '../harness/run.ts'
import type { Lab } from './lab.ts'

interface Release {
  id: string
  source: string
  gitRev?: string
}

export async function branchProblems(lab: Lab): Promise<string[]> {
  const apps = await lab.api<Array<{ name: string }>>('GET', '/apps')
  const problems = await Promise.all(
    apps.map(async ({ name }) => {
      const releases = await lab.api<Release[]>('GET', `/apps/${name}/releases`)
      const pushed = releases.find(({ source }) => source === 'push')
      if (!pushed) return []
      const folder = join(lab.daemon.dataDir, 'git', `${name}.git`)
      const { stdout } = await run('git', [
        '--git-dir',
        folder,
        'rev-parse',
        '-q',
        '--verify',
        'refs/heads/main',
      ])
      const head = stdout.trim()
      const { code } = await run('git', ['--git-dir', folder, 'fsck', '--connectivity-only', '--no-dangling'])
      return [
        ...(head === pushed.gitRev
          ? []
          : [`main of ${name} is at ${head}, ${pushed.id} is of ${pushed.gitRev}`]),
        ...(code === 0 ? [] : [`the repository of ${name} is broken: git fsck ends with ${code}`]),
      ]
    }),
  )
  return problems.flat()
}
