/** The plugin with everything around it that it needs, and real clients. For tests. @module */
import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import {
  appExists,
  appMaybeCreate,
  HttpServer,
  type ReceivedBranch,
  Repositories,
  receiveBranch,
  SshKeys,
  Tokens,
} from '@kernel/contracts'
import {
  fake,
  type MemoryLogger,
  memoryLogger,
  type PluginUnderTest,
  setupPlugin,
} from '@kernel/kernel/testing'
import plugin from '../plugin.ts'
import { type HttpHarness, httpHarness } from './http-harness.ts'

export const testToken = 'a-token-of-a-test'

/** Stands for the `kernel` command: prints what it was given, and does what its arguments say. */
const fakeCli = `
import { createReadStream } from 'node:fs'
const [verb, ...rest] = process.argv.slice(2)
const { KERNEL_HOST, KERNEL_OVER_SSH, KERNEL_USER, KERNEL_SSH_TTY, HOME, SECRET } = process.env
if (verb === 'env') console.log(JSON.stringify({ KERNEL_HOST, KERNEL_OVER_SSH, KERNEL_USER, KERNEL_SSH_TTY, HOME, SECRET }))
else if (verb === 'args') console.log(JSON.stringify(rest))
else if (verb === 'fail') { console.error('it failed'); process.exit(Number(rest[0])) }
else if (verb === 'cat') process.stdin.pipe(process.stdout)
else if (verb === 'flood') {
  const block = Buffer.alloc(1 << 16)
  for (let n = 0; n < Number(rest[0]) * 16; n++) {
    if (!process.stdout.write(block.fill('o'))) await new Promise((r) => process.stdout.once('drain', r))
    if (n % 4 === 0 && !process.stderr.write(block.fill('e'))) await new Promise((r) => process.stderr.once('drain', r))
  }
}
else if (verb === 'sizes') {
  console.log(KERNEL_SSH_TTY)
  createReadStream('', { fd: 3 }).on('data', (data) => { process.stdout.write(data); process.exit(0) })
}
else if (verb === 'wait') {
  process.on('SIGTERM', () => { console.log('terminated'); process.exit(3) })
  process.on('SIGINT', () => { console.log('interrupted'); process.exit(130) })
  console.log('waiting ' + process.pid)
  setInterval(() => {}, 1000)
}
else console.log('ran ' + [verb, ...rest].join(' '))
`

export interface Ran {
  code: number
  stdout: string
  stderr: string
}

export class GitLab {
  readonly dir = mkdtempSync(join(tmpdir(), 'plugin-git-'))
  readonly dataDir = join(this.dir, 'data')
  readonly log: MemoryLogger = memoryLogger()
  readonly apps = new Set<string>()
  readonly received: ReceivedBranch[] = []
  http!: HttpHarness
  plugin!: PluginUnderTest
  sshPort = 0
  /** What becomes of a push; says yes unless a test puts something else here. */
  deploy: (branch: ReceivedBranch) => Promise<void> = async () => {}

  /** What lasts longer than one start of the plugin. */
  async prepare(): Promise<void> {
    this.write('cli.mjs', fakeCli)
    this.http = await httpHarness()
    await this.run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'ann', '-f', join(this.dir, 'id')])
  }

  async start(config: Record<string, unknown> = {}): Promise<this> {
    if (!this.http) await this.prepare()
    this.plugin = await setupPlugin(plugin, {
      log: this.log,
      config: {
        dataDir: this.dataDir,
        listen: '127.0.0.1:0',
        cli: [process.execPath, join(this.dir, 'cli.mjs')],
        host: 'unix:///kernel.sock',
        ...config,
      },
      services: [
        fake(HttpServer, this.http.service),
        fake(Tokens, {
          verify: async (token) => (token === testToken ? { id: '1', name: 'ci', created: '' } : undefined),
        }),
      ],
    })
    this.plugin.on(appExists, ({ app }) => (this.apps.has(app) ? true : undefined))
    this.plugin.on(appMaybeCreate, ({ app }) => {
      this.apps.add(app)
      return true
    })
    this.plugin.on(receiveBranch, async (branch) => {
      this.received.push(branch)
      await this.deploy(branch)
      return { release: 'v1', urls: [] }
    })
    this.sshPort = (await this.keys.address())?.port ?? 0
    return this
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.plugin?.stop()
    await this.http?.close()
    rmSync(this.dir, { recursive: true, force: true })
  }

  get keys(): SshKeys {
    return this.plugin.provided(SshKeys)
  }

  get repositories(): Repositories {
    return this.plugin.provided(Repositories)
  }

  repository(app: string): string {
    return join(this.dataDir, 'git', `${app}.git`)
  }

  sshUrl(app: string): string {
    return `ssh://kernel@127.0.0.1:${this.sshPort}/${app}`
  }

  httpUrl(app: string, token = testToken): string {
    return `http://any:${token}@127.0.0.1:${this.http.port}/git/${app}.git`
  }

  write(path: string, content: string | Buffer, mode = 0o644): string {
    const file = join(this.dir, path)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, content)
    chmodSync(file, mode)
    return file
  }

  get sshOptions(): string[] {
    const options = {
      IdentitiesOnly: 'yes',
      IdentityFile: join(this.dir, 'id'),
      StrictHostKeyChecking: 'no',
      UserKnownHostsFile: '/dev/null',
      LogLevel: 'ERROR',
      PreferredAuthentications: 'publickey',
      BatchMode: 'yes',
    }
    return [
      '-F',
      '/dev/null',
      ...Object.entries(options).flatMap(([key, value]) => ['-o', `${key}=${value}`]),
    ]
  }

  get env(): Record<string, string> {
    return {
      PATH: process.env.PATH ?? '',
      HOME: this.dir,
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_AUTHOR_NAME: 'Ann',
      GIT_AUTHOR_EMAIL: 'ann@example.com',
      GIT_COMMITTER_NAME: 'Ann',
      GIT_COMMITTER_EMAIL: 'ann@example.com',
      GIT_TERMINAL_PROMPT: '0',
      GIT_SSH_COMMAND: ['ssh', ...this.sshOptions].join(' '),
    }
  }

  /** Runs a program to its end. */
  run(
    program: string,
    args: string[],
    options: { cwd?: string; input?: string | Buffer; env?: Record<string, string> } = {},
  ): Promise<Ran> {
    return finished(this.spawn(program, args, options), options.input)
  }

  spawn(
    program: string,
    args: string[],
    { cwd, env }: { cwd?: string; env?: Record<string, string> } = {},
  ): ChildProcess {
    return spawn(program, args, {
      cwd: cwd === undefined ? this.dir : join(this.dir, cwd),
      env: { ...this.env, ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    })
  }

  /** Kills a program with all that it has started, as a closed laptop does. */
  kill(child: ChildProcess): void {
    process.kill(-child.pid!, 'SIGKILL')
  }

  /** Runs git in a folder of the lab. */
  git(cwd: string, ...args: string[]): Promise<Ran> {
    return this.run('git', args, { cwd })
  }

  /** Runs git, which must succeed; answers what it printed. */
  async mustGit(cwd: string, ...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.git(cwd, ...args)
    if (code !== 0) throw new Error(`git ${args.join(' ')}: ${stderr}`)
    return stdout.trim()
  }

  ssh(command: string[], options: { flags?: string[]; input?: string | Buffer } = {}): Promise<Ran> {
    return this.run(
      'ssh',
      [
        ...this.sshOptions,
        ...(options.flags ?? []),
        '-p',
        String(this.sshPort),
        'kernel@127.0.0.1',
        ...command,
      ],
      { input: options.input },
    )
  }

  /** A repository with one commit. */
  async source(
    name: string,
    files: Record<string, string | Buffer> = { 'index.html': 'hello\n' },
  ): Promise<string> {
    mkdirSync(join(this.dir, name), { recursive: true })
    await this.mustGit(name, 'init', '-q', '-b', 'main')
    return this.commit(name, files)
  }

  /** Adds files and commits; answers the commit. */
  async commit(name: string, files: Record<string, string | Buffer>): Promise<string> {
    for (const [path, content] of Object.entries(files)) this.write(join(name, path), content)
    await this.mustGit(name, 'add', '-A')
    await this.mustGit(name, 'commit', '-q', '-m', 'change')
    return this.mustGit(name, 'rev-parse', 'HEAD')
  }

  /** How many objects, loose or packed, the app's repository has; 0 where there is none. */
  async objects(app: string): Promise<number> {
    const { code, stdout } = await this.run('git', ['--git-dir', this.repository(app), 'count-objects', '-v'])
    if (code !== 0) return 0
    const count = (name: string) => Number(new RegExp(`^${name}: (\\d+)$`, 'm').exec(stdout)?.[1])
    return count('count') + count('in-pack')
  }
}

export function finished(child: ChildProcess, input: string | Buffer = ''): Promise<Ran> {
  let stdout = ''
  let stderr = ''
  child.stdout!.setEncoding('latin1').on('data', (text) => {
    stdout += text
  })
  child.stderr!.setEncoding('utf8').on('data', (text) => {
    stderr += text
  })
  child.stdin!.on('error', () => {})
  child.stdin!.end(input)
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ code: code ?? (signal ? 255 : 1), stdout, stderr }))
  })
}
