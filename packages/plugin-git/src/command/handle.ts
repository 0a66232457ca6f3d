/** Every way in ends here: who may do what, then a Git transfer or a command. @module */
import { notFound, type Problem, problemOf, userAuth } from '@kernel/contracts'
import type { CallHook, Logger } from '@kernel/kernel'
import type { Git } from '../git/git.ts'
import type { Pushes } from '../git/pushes.ts'
import type { RepositoryStore } from '../git/repositories.ts'
import { runService } from '../git/service.ts'
import type { Exchange } from './exchange.ts'
import { parseRemoteCommand } from './remote-command.ts'
import { type CliOptions, runCli } from './run-cli.ts'

export interface GitRequest {
  service: 'receive-pack' | 'upload-pack'
  app: string
  /** `--stateless-rpc` and the like. */
  flags?: string[]
}

export interface Handlers {
  /** @throws denied */
  authorize(user: string, request: GitRequest): Promise<void>
  /** A Git transfer of someone authorized; answers git's exit code. @throws not-found where nothing was pushed yet */
  git(request: GitRequest, exchange: Exchange): Promise<number>
  /** A command line as it comes over SSH; answers its exit code. What goes wrong is written to the client. */
  command(line: string, exchange: Exchange): Promise<number>
  /** Resolves when everything that is running has ended, which a stop makes it do in seconds. */
  settled(): Promise<void>
}

export interface HandlerOptions extends CliOptions {
  git: Git
  store: RepositoryStore
  pushes: Pushes
  /** Nothing is served before it resolves. */
  inOrder: Promise<void>
  call: CallHook
  log: Logger
  detachedMs: number
}

export function createHandlers(options: HandlerOptions): Handlers {
  const { git, store, pushes, inOrder, call, log, stop, detachedMs } = options
  const running = new Set<Promise<number>>()

  function track(work: Promise<number>): Promise<number> {
    running.add(work)
    const forget = () => running.delete(work)
    work.then(forget, forget)
    return work
  }

  async function authorize(user: string, { service, app }: GitRequest): Promise<void> {
    await call(userAuth, { user, command: [`git-${service}`, app], app })
  }

  async function transfer(request: GitRequest, exchange: Exchange): Promise<number> {
    await inOrder
    const { service, app, flags } = request
    const common = { git, service, flags, exchange, stop, detachedMs }
    if (service === 'upload-pack') {
      const repository = await store.find(app)
      if (!repository)
        throw notFound(`Nothing was pushed to ${app} yet.`, { hint: 'git push kernel main, first' })
      return runService({ ...common, repository })
    }
    await store.assertRoom()
    let heard = false
    const code = await store.use(app, (repository) =>
      runService({
        ...common,
        repository,
        onPush: (push) => {
          heard = true
          return pushes.receive(push, { app, repository, user: exchange.user })
        },
      }),
    )
    // A disk that got full while the objects came in: git names a file of its own, and says no more.
    if (!heard) await store.assertRoom().catch((error: Error) => tell(error, exchange))
    return code
  }

  function tell(error: Error, exchange: Exchange): void {
    if (exchange.error.writable) exchange.error.write(explain(problemOf(error) ?? error, exchange))
  }

  async function command(line: string, exchange: Exchange): Promise<number> {
    try {
      const wanted = parseRemoteCommand(line)
      if (wanted.kind === 'git') {
        await authorize(exchange.user, wanted)
        return await transfer(wanted, exchange)
      }
      await call(userAuth, { user: exchange.user, command: wanted.argv })
      return await runCli(wanted.argv, exchange, options)
    } catch (error) {
      if (!problemOf(error)) log.error('A command over SSH failed', { error, user: exchange.user })
      tell(error as Error, exchange)
      return 1
    }
  }

  return {
    authorize,
    git: (request, exchange) => track(transfer(request, exchange)),
    command: (line, exchange) => track(command(line, exchange)),
    async settled() {
      await Promise.allSettled(running)
    },
  }
}

/** ` !     ` and what to do next. */
function explain(error: Problem | Error, { terminal }: Exchange): string {
  const hint = 'hint' in error && error.hint ? `       ${error.hint}\n` : ''
  const text = ` !     ${error.message}\n${hint}`
  return terminal ? text.replaceAll('\n', '\r\n') : text
}
