/** A developer's own repository, with the real git. @module */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Daemon } from './daemon.ts'
import { must, type Ran, type RunOptions, run } from './run.ts'

/** Path in the repository -> content. */
export type Files = Record<string, string>

export interface PushOptions extends Pick<RunOptions, 'onOutput' | 'onSpawn' | 'timeout'> {
  /** The branch at the server; `main` where nothing is said. */
  branch?: string
  remote?: string
  /** More arguments of `git push`. */
  args?: string[]
  /** Settings for this git command: `http.postBuffer=1`. */
  config?: string[]
}

export class Repository {
  readonly dir: string
  readonly app: string
  readonly #daemon: Daemon

  /** @param source files, or a folder to copy from */
  static async create(daemon: Daemon, app: string, source: Files | string): Promise<Repository> {
    const repository = new Repository(daemon, app)
    await repository.git(['init', '-q', '-b', 'main'])
    await repository.commit(source)
    return repository
  }

  private constructor(daemon: Daemon, app: string) {
    this.#daemon = daemon
    this.app = app
    this.dir = mkdtempSync(join(daemon.dir, 'source-'))
  }

  get env(): NodeJS.ProcessEnv {
    return {
      ...this.#daemon.env,
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_CONFIG_SYSTEM: '/dev/null',
      GIT_TERMINAL_PROMPT: '0',
      GIT_SSH_COMMAND: this.#daemon.key.command,
      ...Object.fromEntries(
        ['AUTHOR', 'COMMITTER'].flatMap((who) => [
          [`GIT_${who}_NAME`, 'Ann'],
          [`GIT_${who}_EMAIL`, 'ann@example.com'],
        ]),
      ),
    }
  }

  git(args: string[]): Promise<string> {
    return must('git', args, { cwd: this.dir, env: this.env })
  }

  /** Replaces the tree by `source` and commits it. */
  async commit(source: Files | string): Promise<void> {
    for (const name of readdirSync(this.dir))
      if (name !== '.git') rmSync(join(this.dir, name), { recursive: true })
    if (typeof source === 'string') cpSync(source, this.dir, { recursive: true })
    else
      for (const [path, content] of Object.entries(source)) {
        mkdirSync(dirname(join(this.dir, path)), { recursive: true })
        writeFileSync(join(this.dir, path), content)
      }
    await this.git(['add', '-A'])
    await this.git(['commit', '-q', '--allow-empty', '-m', 'A change'])
  }

  /** Removes the working copy. */
  remove(): void {
    rmSync(this.dir, { recursive: true, force: true })
  }

  get remote(): string {
    return `ssh://kernel@127.0.0.1:${this.#daemon.ports.ssh}/${this.app}`
  }

  /** `git push`; the output is what its user sees, a terminal's escapes taken away. */
  async push({
    branch = 'main',
    remote = this.remote,
    args = [],
    config = [],
    ...options
  }: PushOptions = {}): Promise<Ran> {
    const settings = config.flatMap((pair) => ['-c', pair])
    const ran = await run('git', [...settings, 'push', ...args, remote, `HEAD:refs/heads/${branch}`], {
      cwd: this.dir,
      env: this.env,
      ...options,
    })
    return { ...ran, output: asSeen(ran.output) }
  }

  /** A push that has to be taken. @throws with what git said */
  async deploy(options: PushOptions = {}): Promise<Ran> {
    const ran = await this.push(options)
    if (ran.code !== 0) throw new Error(`The push of ${this.app} was refused:\n${ran.output}`)
    return ran
  }
}

/** What a terminal shows of it: `ESC[1G ESC[K` goes back and hides git's `remote: `. */
export const asSeen = (output: string): string =>
  output
    .split('\n')
    .map((line) =>
      line
        .replace(/^.*\x1b\[1G\x1b\[K/, '')
        .replace(/(\x1b\[K)?\r?$/, '')
        .trimEnd(),
    )
    .join('\n')
