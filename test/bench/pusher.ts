/** The hello app with a page of its own for each push. */
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { BenchDaemon } from './kernel-daemon.ts'

const example = fileURLToPath(new URL('../../examples/hello-node', import.meta.url))

export interface Pusher {
  source: string
  env: NodeJS.ProcessEnv
  remote: string
  /** Writes the page with `mark` as its title, and commits it. */
  commit(mark: string): void
  /** The same, and pushes it to its end. */
  push(mark: string): void
}

export function createPusher(ours: BenchDaemon, app: string): Pusher {
  const key = join(ours.dir, 'key')
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key])
  ours.kernel('ssh-keys:add', 'bench', `${key}.pub`)
  const source = join(ours.dir, app)
  mkdirSync(source)
  cpSync(example, source, { recursive: true })
  const env = {
    ...process.env,
    GIT_SSH_COMMAND: `ssh -F none -i ${key} -o IdentitiesOnly=yes -o UserKnownHostsFile=${ours.dir}/known -o StrictHostKeyChecking=accept-new -o LogLevel=ERROR`,
  }
  const git = (...args: string[]) =>
    execFileSync('git', args, { cwd: source, env, stdio: ['ignore', 'ignore', 'ignore'] })
  git('init', '-q', '-b', 'main')
  const remote = `ssh://kernel@127.0.0.1:${ours.ssh}/${app}`
  const original = readFileSync(join(source, 'server.js'), 'utf8')
  const commit = (mark: string) => {
    writeFileSync(
      join(source, 'server.js'),
      original.replace('<title>hello</title>', `<title>${mark}</title>`),
    )
    git('add', '-A')
    git('-c', 'user.name=bench', '-c', 'user.email=bench@localhost', 'commit', '-q', '-m', mark)
  }
  return {
    source,
    env,
    remote,
    commit,
    push(mark) {
      commit(mark)
      git('push', '-q', remote, 'main')
    },
  }
}
