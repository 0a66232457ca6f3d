/** What the rounds happen in: a daemon, a registry, two apps with several process types, containers that count. @module */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Answer, type AskOptions, answerOf, ask } from '../harness/ask.ts'
import { Daemon } from '../harness/daemon.ts'
import { busyboxArchive, Registry } from '../harness/docker.ts'
import { type Files, Repository } from '../harness/repository.ts'
import type { Ran } from '../harness/run.ts'
import type { AppWorld } from './told.ts'

export const image = 'busybox:chaos'

/** Prints a number every 50 ms, so that a gap in its log shows. */
const ticker = 'trap "exit 0" TERM; i=0; while :; do i=$((i+1)); echo "tick $i"; sleep 0.05; done'

/** Serves a page made of its source and its config, and has a worker beside it. */
export const chaosApp = (content: string, web = 'sh /run.sh'): Files => ({
  Dockerfile: `FROM ${image}\nCOPY run.sh /run.sh\nCOPY content /content\n`,
  Procfile: `web: ${web}\nworker: trap "exit 0" TERM; while :; do sleep 60 & wait; done\n`,
  'run.sh':
    'trap "exit 0" TERM\necho "$(cat /content) ${GREETING:-none}" > /var/www/index.html\nhttpd -f -p $PORT -h /var/www & wait\n',
  content,
})

const tickerApp: Files = {
  ...chaosApp('bystander'),
  Procfile: `web: sh /run.sh\nticker: ${ticker}\n`,
}

export class Lab {
  readonly daemon: Daemon
  readonly registry: Registry
  readonly shop: Repository
  /** A reference whose image is in the registry and not here. */
  readonly remote: string
  /** Releases of shop as they were while they served. */
  readonly seenReleases = new Map<string, AppWorld>()
  /** Counts what is made, so that no name comes twice. */
  serial = 0

  private constructor(daemon: Daemon, registry: Registry, shop: Repository, remote: string) {
    this.daemon = daemon
    this.registry = registry
    this.shop = shop
    this.remote = remote
  }

  static async open(): Promise<Lab> {
    // A deploy that waits for nothing: most of its moments are moments in which something is done.
    const daemon = await Daemon.open({ config: { config: { apps: { uptimeSec: 0.1 } } } })
    let registry: Registry | undefined
    try {
      registry = await Registry.open(daemon.dir)
      const docker = async (...args: string[]) => must(await daemon.docker(args), `docker ${args.join(' ')}`)
      await docker('load', '-i', await busyboxArchive(daemon.dir, image))
      const remote = `${registry.address}/chaos/layers:1`
      await publish(daemon, remote)
      const shop = await Repository.create(daemon, 'shop', chaosApp('content-0'))
      await shop.deploy()
      const bystander = await Repository.create(daemon, 'bystander', tickerApp)
      await bystander.deploy()
      await daemon.kernel(['ps:scale', 'bystander', 'ticker=1'])
      await daemon.kernel(['ps:scale', 'shop', 'worker=1'])
      await docker('volume', 'create', 'kept')
      await docker('network', 'create', 'kept')
      await docker(
        ...['run', '-d', '--name', 'ticker', '--restart', 'unless-stopped', '--network', 'kept'],
        ...['-v', 'kept:/kept', image, 'sh', '-c', `echo kept > /kept/file; ${ticker}`],
      )
      return new Lab(daemon, registry, shop, remote)
    } catch (error) {
      registry?.close()
      await daemon.close().catch(() => {})
      throw error
    }
  }

  /** Of the product's own API. */
  api<T>(method: string, path: string, body?: unknown): Promise<T> {
    return ask<T>(this.daemon.socket, method, `/api/v1${path}`, { body })
  }

  engine<T>(path: string): Promise<T> {
    return ask<T>(this.daemon.socket, 'GET', path)
  }

  answer(method: string, path: string, options?: AskOptions): Promise<Answer> {
    return answerOf(this.daemon.socket, method, path, options)
  }

  /** Whether a call of the product's API was told that it is done: its status, and the last line of an operation. */
  async told(method: string, path: string, body?: unknown): Promise<boolean> {
    const answer = await this.answer(method, `/api/v1${path}`, { body })
    if (answer.status === 0 || answer.status >= 300) return false
    const last = answer.body.toString('utf8').trimEnd().split('\n').at(-1) ?? ''
    return !last.startsWith('{"error"')
  }

  docker(...args: string[]): Promise<Ran> {
    return this.daemon.docker(args, { timeout: 60_000 })
  }

  /** One that prepares a round or clears up after it. */
  async mustDocker(...args: string[]): Promise<string> {
    return must(await this.docker(...args), `docker ${args.join(' ')}`)
  }

  next(): number {
    return ++this.serial
  }

  async close(): Promise<void> {
    this.registry.close()
    await this.daemon.close()
  }
}

function must({ code, output, stdout }: Ran, what: string): string {
  if (code !== 0) throw new Error(`${what} ended with ${code}:\n${output}`)
  return stdout.trim()
}

/** Puts an image of several layers into the registry, and takes it away here. */
async function publish(daemon: Daemon, remote: string): Promise<void> {
  const dir = join(daemon.dir, 'layers')
  mkdirSync(dir)
  const files = ['one', 'two', 'three', 'four']
  for (const name of files) writeFileSync(join(dir, name), Buffer.alloc(1 << 20, name))
  writeFileSync(
    join(dir, 'Dockerfile'),
    `FROM ${image}\n${files.map((name) => `COPY ${name} /${name}`).join('\n')}\n`,
  )
  for (const args of [
    ['build', '-q', '-t', remote, dir],
    ['push', '-q', remote],
    ['rmi', remote],
    ['builder', 'prune', '-af'],
  ])
    must(
      await daemon.docker(args, { env: { ...daemon.env, DOCKER_BUILDKIT: '0' } }),
      `docker ${args.join(' ')}`,
    )
}
