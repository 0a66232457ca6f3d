/** A daemon of its own: data, socket, ports and log in a temporary folder; and all that a user does with it. @module */
import { type ChildProcess, spawn } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ask } from './ask.ts'
import { dockerCommand } from './docker.ts'
import { findLeftovers, isClean, sweep } from './leftovers.ts'
import { freePorts } from './ports.ts'
import { kernelCommand, root } from './product.ts'
import { type Ran, type RunOptions, run } from './run.ts'
import { SshKey } from './ssh-key.ts'
import { until } from './until.ts'

export interface DaemonOptions {
  /** More flags of `kernel daemon`. */
  args?: string[]
  /** A command line that runs the one behind it: `['nice']`. */
  launcher?: string[]
  /** Where it keeps its data; else in its own folder. */
  dataDir?: string
  /** Content of a config file; it is named on the command line. */
  config?: object
  /** npm packages that lie beside the config file: name -> folder. */
  packages?: Record<string, string>
  /** The user to run as; the daemon's folder is theirs. */
  uid?: number
  env?: Record<string, string>
}

export interface KernelOptions extends RunOptions {
  /** The exit code it has to end with; 0 where nothing else is said. `any` leaves it to the caller. */
  code?: number | 'any'
}

interface AppRow {
  name: string
  state: string
  release?: string
  urls: string[]
}

export class Daemon {
  readonly dir: string
  readonly dataDir: string
  readonly socket: string
  readonly logFile: string
  readonly ports: { http: number; ssh: number; api: number }
  readonly key: SshKey
  readonly options: DaemonOptions
  process: ChildProcess | undefined

  private constructor(
    dir: string,
    [http = 0, ssh = 0, api = 0]: number[],
    key: SshKey,
    options: DaemonOptions,
  ) {
    this.dir = dir
    this.dataDir = options.dataDir ?? join(dir, 'data')
    this.socket = join(dir, 'kernel.sock')
    this.logFile = join(dir, 'daemon.log')
    this.ports = { http, ssh, api }
    this.key = key
    this.options = options
  }

  /** Starts one, and lets its own key in. */
  static async open(options: DaemonOptions = {}): Promise<Daemon> {
    const dir = mkdtempSync(join(tmpdir(), 'kernel-e2e-'))
    chmodSync(dir, 0o755)
    const daemon = new Daemon(dir, await freePorts(3), await SshKey.create(join(dir, 'keys')), options)
    if (options.uid !== undefined) {
      mkdirSync(daemon.dataDir, { mode: 0o700 })
      for (const path of [dir, daemon.dataDir]) chownSync(path, options.uid, options.uid)
    }
    for (const [name, folder] of Object.entries(options.packages ?? {})) {
      mkdirSync(join(dir, 'node_modules'), { recursive: true })
      symlinkSync(folder, join(dir, 'node_modules', name))
    }
    if (options.config) writeFileSync(join(dir, 'kernel.json'), JSON.stringify(options.config))
    try {
      await daemon.start()
      await daemon.kernel(['ssh-keys:add', 'e2e', daemon.key.publicFile])
    } catch (error) {
      await daemon.close().catch(() => {})
      throw error
    }
    return daemon
  }

  /** The environment of clients: nothing of the caller's own KERNEL_ or DOCKER_ settings. */
  get env(): NodeJS.ProcessEnv {
    const clean = Object.entries(process.env).filter(
      ([name]) => !/^(KERNEL|DOCKER)_|^FORCE_COLOR$/.test(name),
    )
    return {
      ...Object.fromEntries(clean),
      KERNEL_HOST: `unix://${this.socket}`,
      DOCKER_HOST: `unix://${this.socket}`,
      DOCKER_CONFIG: join(this.dir, 'docker'),
      NO_COLOR: '1',
    }
  }

  /** The flags it is started with; another daemon may be tried with the same. */
  get flags(): string[] {
    const { http, ssh, api } = this.ports
    return [
      ...['--data-dir', this.dataDir, '--host', `unix://${this.socket}`, '--host', `tcp://127.0.0.1:${api}`],
      ...['--http', `127.0.0.1:${http}`, '--ssh', `127.0.0.1:${ssh}`, '--log-format', 'json'],
      ...(this.options.config ? ['--config', join(this.dir, 'kernel.json')] : []),
      ...(this.options.args ?? []),
    ]
  }

  async start(): Promise<void> {
    this.launch()
    try {
      await until('the daemon answers /_ping', () => this.ended || this.ping(), { within: 60_000 })
      if (this.ended) throw new Error('The daemon has ended')
    } catch (error) {
      throw new Error(`${(error as Error).message}:\n${this.logTail(12)}`)
    }
  }

  /** Starts its process, and waits for nothing. */
  launch(): void {
    const [program = '', ...args] = [...(this.options.launcher ?? []), ...kernelCommand()]
    const log = openSync(this.logFile, 'a')
    const { KERNEL_HOST: _, ...env } = this.env
    const { uid } = this.options
    this.process = spawn(program, [...args, 'daemon', ...this.flags], {
      cwd: root,
      env: { ...env, KERNEL_DOMAINS: 'e2e.test', ...(uid && { HOME: this.dir }), ...this.options.env },
      stdio: ['ignore', log, log],
      detached: true,
      ...(uid !== undefined && { uid, gid: uid }),
    })
    closeSync(log)
  }

  get ended(): boolean {
    return !this.process || this.process.exitCode !== null || this.process.signalCode !== null
  }

  ping(): Promise<true | undefined> {
    return new Promise((resolve) => {
      const ask = request(
        { socketPath: this.socket, path: '/_ping', timeout: 10_000, agent: false },
        (answer) => {
          answer.resume()
          resolve(answer.statusCode === 200 ? true : undefined)
        },
      )
      ask.once('timeout', () => ask.destroy())
      ask.once('error', () => resolve(undefined))
      ask.end()
    })
  }

  /** Ends it by a signal and waits; answers its exit code. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    const { process: child } = this
    if (!child || this.ended) return child?.exitCode ?? null
    child.kill(signal)
    await until(`the daemon ends at ${signal}`, () => this.ended, { within: 30_000 }).catch((error) => {
      child.kill('SIGKILL')
      throw error
    })
    return child.exitCode
  }

  /** The end that nobody is told of. */
  kill(): Promise<unknown> {
    return this.stop('SIGKILL')
  }

  /** A command of `kernel`. @throws where it does not end with the code that is expected */
  async kernel(args: string[], { code = 0, ...options }: KernelOptions = {}): Promise<Ran> {
    const [program, ...first] = kernelCommand()
    const ran = await run(program, [...first, ...args], { env: this.env, cwd: this.dir, ...options })
    if (code !== 'any' && ran.code !== code)
      throw new Error(`kernel ${args.join(' ')} ended with ${ran.code}, not ${code}:\n${ran.output}`)
    return ran
  }

  async json<T>(args: string[]): Promise<T> {
    return JSON.parse((await this.kernel([...args, '--format', 'json'])).stdout)
  }

  /** The real docker command line. */
  docker(args: string[], options: RunOptions = {}): Promise<Ran> {
    return run(dockerCommand(), args, { env: this.env, cwd: this.dir, ...options })
  }

  /** A command over SSH, by the real client. */
  ssh(args: string[], options: RunOptions = {}): Promise<Ran> {
    return run(
      'ssh',
      [...this.key.sshArgs, '-p', String(this.ports.ssh), 'kernel@127.0.0.1', ...args],
      options,
    )
  }

  /** A line of shell in a pseudo terminal, as `script` makes one. */
  inTerminal(line: string, options: RunOptions = {}): Promise<Ran> {
    return run('script', ['-qec', line, '/dev/null'], {
      env: { ...this.env, SHELL: '/bin/sh', TERM: 'xterm' },
      cwd: this.dir,
      openInput: true,
      ...options,
    })
  }

  /** Where visitors find an app. */
  url(app: string): string {
    return `http://${app}.e2e.test:${this.ports.http}/`
  }

  logTail(lines = 40): string {
    try {
      return readFileSync(this.logFile, 'utf8').trimEnd().split('\n').slice(-lines).join('\n')
    } catch {
      return '(no log)'
    }
  }

  /** Ends all that runs by the ways of a user, then the daemon. @throws where anything is left on the machine */
  async close(): Promise<void> {
    const problems: string[] = []
    const attempt = (what: string, work: Promise<unknown>) =>
      work.catch((error) => problems.push(`${what}: ${(error as Error).message}`))
    if (!this.ended) {
      await attempt('the apps were not destroyed', this.#destroyAll())
      await attempt('the daemon did not stop', this.stop())
    }
    const found = await until(
      'nothing is left',
      async () => {
        const now = await findLeftovers(this.dataDir)
        return isClean(now) && now
      },
      { within: 5000 },
    ).catch(() => findLeftovers(this.dataDir))
    if (!isClean(found)) {
      problems.push(`left on the machine: ${JSON.stringify(found, undefined, 2)}`)
      await sweep(found)
    }
    const tail = this.logTail()
    rmSync(this.dir, { recursive: true, force: true, maxRetries: 3 })
    if (problems.length > 0) throw new Error(`${problems.join('\n')}\nThe daemon's log ended:\n${tail}`)
  }

  async #destroyAll(): Promise<void> {
    const apps = await this.json<AppRow[]>(['apps:list'])
    await Promise.all(apps.map(({ name }) => this.kernel(['apps:destroy', name, '--force'])))
    const socketPath = this.socket
    const containers = await ask<Array<{ Id: string }>>(socketPath, 'GET', '/containers/json?all=1')
    await Promise.all(containers.map(({ Id }) => ask(socketPath, 'DELETE', `/containers/${Id}?force=1&v=1`)))
    await ask(socketPath, 'POST', '/networks/prune')
  }
}
