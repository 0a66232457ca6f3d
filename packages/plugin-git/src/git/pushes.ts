/** What becomes of a push: its refs are judged, the app is found or made, the branch is deployed. @module */
import {
  appExists,
  appMaybeCreate,
  conflict,
  denied,
  failed,
  invalid,
  notFound,
  notSupported,
  problemOf,
  receiveBranch,
} from '@kernel/contracts'
import type { CallHook, Logger } from '@kernel/kernel'
import { KeyedMutex } from '@kernel/state'
import { checkout } from './checkout.ts'
import type { CheckoutTools } from './checkout-tools.ts'
import { deployOutput, tellFailure } from './deploy-output.ts'
import type { Git } from './git.ts'
import { noRev, type RefUpdate } from './hook-channel.ts'
import type { PushJournal } from './push-journal.ts'
import { headBranch } from './repositories.ts'
import type { PendingPush } from './service.ts'

export interface PushesOptions {
  tools: CheckoutTools
  journal: PushJournal
  call: CallHook
  log: Logger
  /** Aborts when the daemon stops. */
  signal: AbortSignal
}

export interface PushTarget {
  app: string
  repository: string
  user: string
}

export class Pushes {
  readonly #options: PushesOptions
  /** One push of an app at a time moves its refs. */
  readonly #accepting = new KeyedMutex()

  constructor(options: PushesOptions) {
    this.#options = options
  }

  /**
   * Deploys the branch of a push and has git accept it, or refuses it with the reason. An app that its first push
   * made stays when that push fails, as with Dokku: its log and settings are what its owner needs then.
   */
  async receive(push: PendingPush, target: PushTarget): Promise<void> {
    const output = deployOutput(push.output)
    let end: ((accepted: boolean) => Promise<void>) | undefined
    let deployed = false
    try {
      const update = await judge(push.updates, target.repository, this.#options.tools.git)
      await this.#findApp(target, update !== undefined)
      if (update) {
        const { ref, newRev } = update
        const { app, repository } = target
        const objects = push.env.GIT_OBJECT_DIRECTORY
        end = await this.#options.journal.begin({ app, repository, ref, newRev, objects })
        await this.#deploy(push, update, target)
        deployed = true
      }
      await this.#accept(push, update, target)
      await end?.(true)
    } catch (error) {
      const { app } = target
      // Of a git that has ended, nobody but the log hears.
      if (!problemOf(error) || !push.isAlive())
        this.#options.log.error(`A push to ${app} failed`, { error, app })
      tellFailure(output, error)
      push.refuse()
      // What is deployed stays on record: the next start moves its branch.
      if (deployed) return
      await end?.(false).catch((problem) =>
        this.#options.log.warn(`What a refused push to ${app} brought is not removed`, {
          error: problem,
          app,
        }),
      )
    }
  }

  async #findApp({ app, user }: PushTarget, mayCreate: boolean): Promise<void> {
    const { call } = this.#options
    if ((await call(appExists, { app }))?.value) return
    if (mayCreate && (await call(appMaybeCreate, { app, user }))?.value) return
    throw notFound(`There is no app ${app}.`, { hint: `Create it first: kernel apps:create ${app}` })
  }

  async #deploy(push: PendingPush, update: RefUpdate, { app, repository, user }: PushTarget): Promise<void> {
    const { tools, call, signal } = this.#options
    const output = deployOutput(push.output)
    const source = { app, repository, rev: update.newRev, env: push.env }
    const answer = await call(receiveBranch, {
      app,
      branch: branchOf(update),
      rev: update.newRev,
      oldRev: update.oldRev === noRev ? undefined : update.oldRev,
      user,
      pushOptions: push.options,
      checkout: (dir) => checkout(tools, source, dir, output, signal),
      output,
    })
    if (!answer)
      throw notSupported('No plugin of this server takes pushes.', { hint: 'Enable the plugin apps.' })
  }

  /**
   * Has git move the refs. Another push may have been deployed after this one had begun: the branch then stands at
   * a commit that git does not expect, and is first set back to what it expects, so that the refs say what is
   * deployed. The same where git was ended before it could: what is deployed is what the branch says.
   */
  async #accept(push: PendingPush, update: RefUpdate | undefined, target: PushTarget): Promise<void> {
    const { tools, signal, log } = this.#options
    const { git } = tools
    const { app, repository } = target
    const run = (args: string[]) => git.run(args, { cwd: repository })
    await this.#accepting.run(app, async () => {
      const current = async (ref: string) =>
        (await run(['for-each-ref', '--format=%(objectname)', ref])).trim() || noRev
      if (!push.isAlive() && (signal.aborted || update === undefined))
        throw failed(`git ended before the push was taken, so the refs of ${app} stay as they were.`, {
          hint: 'Push again.',
        })
      if (update && push.isAlive()) {
        const now = await current(update.ref)
        if (now !== update.oldRev)
          await run(
            update.oldRev === noRev
              ? ['update-ref', '-d', update.ref, now]
              : ['update-ref', update.ref, update.oldRev, now],
          )
      }
      push.accept()
      await push.ended
      if (update === undefined || signal.aborted || (await current(update.ref)) === update.newRev) return
      log.warn(`git ended under a push to ${app} that is deployed; its refs are moved without it`, { app })
      // What it brought is in the repository already: the journal has seen to that.
      for (const { ref, newRev } of push.updates)
        await run(newRev === noRev ? ['update-ref', '-d', ref] : ['update-ref', ref, newRev])
    })
    // The pusher does not wait for it.
    if (update) void this.#accepting.run(app, () => this.#tidy(update, target))
  }

  /** Lets HEAD name a branch that is there, for clones, and collects garbage where there is enough of it. */
  async #tidy(update: RefUpdate, { app, repository }: PushTarget): Promise<void> {
    const { tools, log, signal } = this.#options
    const run = (args: string[]) => tools.git.run(args, { cwd: repository, signal })
    try {
      const head = await run(['for-each-ref', `refs/heads/${await headBranch(repository)}`])
      const pushed = await run(['for-each-ref', update.ref])
      if (head === '' && pushed !== '') await run(['symbolic-ref', 'HEAD', update.ref])
      await run(['-c', 'gc.auto=2000', '-c', 'gc.autoPackLimit=40', 'gc', '--auto', '--quiet'])
    } catch (error) {
      if (!signal.aborted) log.warn(`The repository of ${app} could not be tidied up`, { error, app })
    }
  }
}

/**
 * The branch that a push deploys; undefined for one with tags or removed branches alone.
 * @throws invalid, denied, conflict with what to do instead
 */
export async function judge(
  updates: RefUpdate[],
  repository: string,
  git: Git,
): Promise<RefUpdate | undefined> {
  const foreign = updates.find(({ ref }) => !/^refs\/(heads|tags)\//.test(ref))
  if (foreign)
    throw invalid(`${foreign.ref} is neither a branch nor a tag.`, {
      hint: 'Push a branch: git push kernel main',
    })
  const branches = updates.filter(({ ref }) => ref.startsWith('refs/heads/'))
  const removed = branches.filter(({ newRev }) => newRev === noRev)
  const deployed = branches.filter(({ newRev }) => newRev !== noRev)
  const head = removed.length > 0 ? await headBranch(repository) : undefined
  if (removed.some((update) => branchOf(update) === head))
    throw denied(`${head} is the branch that is deployed; it is not removed.`, {
      hint: 'To remove the whole app: kernel apps:destroy NAME',
    })
  if (deployed.length > 1)
    throw conflict(`${deployed.length} branches were pushed at once: ${deployed.map(branchOf).join(', ')}.`, {
      hint: `Push the one to deploy: git push kernel ${branchOf(deployed[0]!)}`,
    })
  const [update] = deployed
  if (update) await checkPlace(update, repository, git)
  return update
}

/** A ref is a file: `a` and `a/b` can't both be. Git finds that out only when everything is deployed. */
async function checkPlace(update: RefUpdate, repository: string, git: Git): Promise<void> {
  const refs = await git.run(['for-each-ref', '--format=%(refname)', 'refs/heads/'], { cwd: repository })
  const inTheWay = refs
    .split('\n')
    .find((ref) => ref !== '' && (ref.startsWith(`${update.ref}/`) || update.ref.startsWith(`${ref}/`)))
  if (inTheWay)
    throw conflict(`${branchOf(update)} can't be beside ${inTheWay.slice('refs/heads/'.length)}.`, {
      hint: 'Remove that branch here first, or choose another name.',
    })
}

const branchOf = ({ ref }: RefUpdate) => ref.slice('refs/heads/'.length)
