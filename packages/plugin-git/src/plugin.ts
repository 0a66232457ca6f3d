/** The plugin: what is made at the start, how it hangs together, what is undone at the end. @module */
import { readdir, readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import {
  deployedRev,
  diskLedger,
  HttpServer,
  notFound,
  postAppRename,
  postDelete,
  Repositories,
  SshKeys,
  Tokens,
} from '@kernel/contracts'
import { definePlugin } from '@kernel/kernel'
import { ensureDir, openDatabase, removeTree, writeFileAtomic } from '@kernel/state'
import { writeAuthorizedKeys } from './access/authorized-keys.ts'
import { createKeyStore } from './access/key-store.ts'
import { createHandlers } from './command/handle.ts'
import { configSchema } from './config.ts'
import { branchHead } from './git/branch-head.ts'
import { checkout, checkoutPrefix } from './git/checkout.ts'
import type { CheckoutTools } from './git/checkout-tools.ts'
import { silentOutput } from './git/deploy-output.ts'
import { createGit } from './git/git.ts'
import { preReceiveScript, referenceTransactionScript } from './git/hook-channel.ts'
import { PushJournal } from './git/push-journal.ts'
import { Pushes } from './git/pushes.ts'
import { RepositoryStore } from './git/repositories.ts'
import { smartHttp } from './http/smart-http.ts'
import { sshStream } from './http/ssh-stream.ts'
import { type HostKey, hostKey } from './ssh/host-key.ts'
import { type SshServer, startSshServer } from './ssh/server.ts'

/** The user that is shown in remotes; which name a client gives does not matter. */
const userName = 'kernel'

export default definePlugin({
  name: 'git',
  version: '0.1.0',
  kernel: '^1',
  requires: [HttpServer, Tokens],
  provides: [SshKeys, Repositories],
  config: configSchema,
  permissions: ['network', 'subprocess'],
  async setup(ctx) {
    const { config, log } = ctx
    const { dataDir, limits } = config
    const folders = await makeFolders(dataDir)
    const db = openDatabase(join(folders.db, 'git.db'))
    ctx.defer(() => db.close())

    const git = createGit(folders.hooks, limits)
    const store = new RepositoryStore(folders.git, git)
    const journal = new PushJournal(db, git)
    const inOrder = Promise.withResolvers<void>()
    /** Once every plugin is there. Pushes wait for it; visitors of apps do not. */
    async function putInOrder(): Promise<void> {
      const ask = async (app: string) => (await ctx.call(deployedRev, { app }))?.value
      await journal
        .recover(store, ask, log)
        .catch((error) => log.error('Pushes that a kill has cut off could not be put in order', { error }))
      try {
        const swept = await store.sweep()
        if (swept.length > 0) log.info('Removed what an earlier run left half done', { paths: swept })
      } catch (error) {
        log.error('What an earlier run left half done could not be removed', { error })
      }
      inOrder.resolve()
    }
    let ordering: Promise<void> | undefined
    ctx.ready(() => {
      ordering = putInOrder()
    })
    ctx.defer(() => ordering)
    const tools: CheckoutTools = {
      git,
      limits,
      tempDir: folders.temp,
      submoduleProtocols: config.submoduleProtocols,
      repositoryOf: (app) => store.find(app),
    }
    const pushes = new Pushes({ tools, journal, call: ctx.call, log, signal: ctx.signal })

    const keys = createKeyStore(db)
    const handlers = createHandlers({
      git,
      store,
      pushes,
      call: ctx.call,
      log,
      stop: ctx.signal,
      inOrder: inOrder.promise,
      detachedMs: limits.detachedSeconds * 1000,
      cli: config.cli,
      host: config.host,
    })

    ctx.defer(handlers.settled)

    /** One after the other; a failure is told, and does not undo the change of the keys. */
    let writing = Promise.resolve()
    function syncAuthorizedKeys(): Promise<void> {
      const file = config.authorizedKeysFile
      if (file)
        writing = writing
          .then(() => writeAuthorizedKeys(file, keys.list(), config))
          .catch((error) => log.error(`${file} could not be written`, { error }))
      return writing
    }
    await syncAuthorizedKeys()
    ctx.defer(() => writing)

    const key = config.listen === undefined ? undefined : await hostKey(dataDir)
    let server: SshServer | undefined
    const address = () => server && clientAddress(server, key!)
    const greeting = (user: string) => greetingFor(user, address())

    ctx.provide(SshKeys, {
      list: async () => keys.list(),
      async add(name, publicKey) {
        const added = keys.add(name, publicKey)
        await syncAuthorizedKeys()
        return added
      },
      async remove(nameOrFingerprint) {
        keys.remove(nameOrFingerprint)
        await syncAuthorizedKeys()
      },
      address: async () => address(),
    })
    ctx.provide(Repositories, {
      async head(app, branch) {
        const repository = await store.find(app)
        return repository === undefined ? undefined : branchHead(git, repository, branch)
      },
      async checkout(app, rev, dir) {
        const repository = await store.find(app)
        if (!repository || !/^[0-9a-f]{40}$/.test(rev) || !(await isCommit(repository, rev)))
          throw notFound(`${app} has no commit ${rev}.`)
        await checkout(tools, { app, repository, rev, env: {} }, dir, silentOutput, ctx.signal)
      },
    })
    const isCommit = (repository: string, rev: string) =>
      git.run(['cat-file', '-e', `${rev}^{commit}`], { cwd: repository }).then(
        () => true,
        () => false,
      )

    ctx.on(postDelete, ({ app }) => store.remove(app))
    ctx.on(postAppRename, ({ oldApp, app }) => store.rename(oldApp, app))
    ctx.on(diskLedger, async (entries) => [...entries, ...(await store.ledger())])

    const http = ctx.use(HttpServer)
    const { packBytes } = limits
    ctx.defer(
      http.mount('/git/', smartHttp({ tokens: ctx.use(Tokens), handlers, log, packBytes }), {
        auth: 'handler',
      }),
    )
    ctx.defer(http.mount('/git/ssh', sshStream(keys, handlers, greeting), { auth: 'caller' }))

    const { listen } = config
    if (listen !== undefined && key)
      ctx.ready(async () => {
        const { privateKey } = key
        server = await startSshServer({ listen, privateKey, keys, exec: handlers.command, greeting, log })
        ctx.defer(() => server?.close())
        log.info('SSH server listens', { ...server.address, hostKey: key.fingerprint })
      })
  },
})

interface Folders {
  db: string
  git: string
  hooks: string
  temp: string
}

async function makeFolders(dataDir: string): Promise<Folders> {
  const folders = {
    db: join(dataDir, 'db'),
    git: join(dataDir, 'git'),
    hooks: join(dataDir, 'run', 'git-hooks'),
    temp: join(dataDir, 'tmp'),
  }
  for (const dir of [join(dataDir, 'run'), ...Object.values(folders)]) await ensureDir(dir)
  for (const name of await readdir(folders.temp))
    if (name.startsWith(checkoutPrefix)) await removeTree(join(folders.temp, name))
  const scripts = { 'pre-receive': preReceiveScript, 'reference-transaction': referenceTransactionScript }
  for (const [name, script] of Object.entries(scripts))
    if ((await readFile(join(folders.hooks, name), 'utf8').catch(() => '')) !== script)
      await writeFileAtomic(join(folders.hooks, name), script, { mode: 0o755 })
  return folders
}

/** For a server that listens everywhere: the machine's name where it is a full one. */
function clientAddress({ address }: SshServer, { fingerprint }: HostKey) {
  const everywhere = address.host === '0.0.0.0' || address.host === '::'
  const name = hostname().toLowerCase()
  const host = !everywhere ? address.host : name.includes('.') ? name : 'localhost'
  return { host, port: address.port, user: userName, hostKeyFingerprint: fingerprint }
}

type ClientAddress = ReturnType<typeof clientAddress> | undefined

function greetingFor(user: string, address: ClientAddress): string {
  const host = address?.host ?? 'HOST'
  const port = address && address.port !== 22 ? `-p ${address.port} ` : ''
  const remote = port ? `ssh://${userName}@${host}:${address?.port}/APP` : `${userName}@${host}:APP`
  return [
    `=====> Hello ${user}, you are in. There is no shell here, but this works:`,
    `       git remote add kernel ${remote} && git push kernel main`,
    `       ssh ${port}${userName}@${host} apps:list`,
    `       ssh ${port}${userName}@${host} help`,
    '',
  ].join('\n')
}
