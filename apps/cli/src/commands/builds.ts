/** builds:*, deploys:* */
import { userInfo } from 'node:os'
import { conflict, type DeployInfo, type DeployLine, invalid, notFound } from '@kernel/contracts'
import { type CommandSpec, type Invocation, option, text } from '../command.ts'
import { ago } from '../output/format.ts'

/** Ids are ULIDs; the names of apps have no capitals. */
const isId = (word: string) => /^[0-9A-HJKMNP-TV-Z]{26}$/.test(word)
const isOver = ({ status }: DeployInfo) => status !== 'waiting' && status !== 'running'
/** What makes an image; the others start one that there is. */
const kindOf = ({ source }: DeployInfo) => (source === 'push' || source === 'rebuild' ? 'build' : 'deploy')

export const buildsCommands: CommandSpec[] = [
  {
    name: 'builds:list',
    args: '[app]',
    summary: 'List the builds and deploys of an app, or of every app, newest first',
    options: [
      ['-n, --num <count>', 'how many (20)'],
      ['--kind <kind>', 'build: what made an image; deploy: what started one that there was'],
      ['--status <status>', 'waiting, running, succeeded, failed, superseded or cancelled'],
    ],
    examples: ['builds:list', 'builds:list blog', 'builds:list blog --status failed --format json'],
    async run(call) {
      const { kind, status } = call.options
      if (kind !== undefined && kind !== 'build' && kind !== 'deploy')
        throw invalid(`There is no kind ${kind}.`, { hint: 'There are: build, deploy' })
      const most = Number(option(call, 'num') ?? 20)
      const builds = (await buildsOf(call, call.args.app as string | undefined)).filter(
        (build) => (kind ?? kindOf(build)) === kindOf(build) && (status ?? build.status) === build.status,
      )
      printList(call, builds.slice(0, most))
    },
  },
  {
    name: 'builds:info',
    args: '<app> <build-id>',
    summary: 'Show one build with the time of each stage',
    examples: ['builds:info blog 01KBA9Y6X0S2V2Q4N8M7T5R3P1'],
    async run(call) {
      const build = await inspect(call, text(call, 'buildId'), text(call, 'app'))
      call.out.value(build, () =>
        call.out.report(`${build.app} build ${build.id}`, {
          Kind: kindOf(build),
          Status: build.status,
          Error: build.error,
          Source: build.source,
          Revision: build.gitRev,
          Release: build.release,
          By: build.user,
          Started: `${build.started} (${ago(build.started)})`,
          Finished: build.finished,
          Stages: stages(build),
        }),
      )
    },
  },
  {
    name: 'builds:output',
    args: '<app> [build-id]',
    summary: 'Print what a build wrote: the newest, the one named, or the current (running) one',
    options: [['-f, --follow', 'go on to its end']],
    examples: ['builds:output blog', 'builds:output blog current --follow'],
    async run(call) {
      const app = text(call, 'app')
      const wanted = call.args.buildId as string | undefined
      const build =
        wanted === undefined || wanted === 'current'
          ? pick(await buildsOf(call, app), app, { running: wanted === 'current' })
          : await inspect(call, wanted, app)
      await print(call, build.id, call.options.follow === true)
    },
  },
  {
    name: 'builds:attach',
    args: '[app-or-id]',
    summary: 'Print what a running build has written and follow it to its end; exit 0 where it succeeded',
    description:
      'A build goes on where its pusher hangs up. Without an argument, the one that runs. Ctrl-C leaves it running.',
    examples: ['builds:attach', 'builds:attach blog', 'builds:attach 01KBA9Y6X0S2V2Q4N8M7T5R3P1'],
    async run(call) {
      const wanted = call.args.appOrId as string | undefined
      const build =
        wanted !== undefined && isId(wanted)
          ? await inspect(call, wanted)
          : pick(await buildsOf(call, wanted), wanted, { running: wanted === undefined })
      await print(call, build.id, true)
      const { status } = await inspect(call, build.id)
      return status === 'succeeded' ? 0 : 1
    },
  },
  {
    name: 'builds:cancel',
    args: '<app> [build-id]',
    summary: 'Cancel the running build of an app, else the one that waits; what runs stays as it is',
    examples: ['builds:cancel blog', 'builds:cancel blog 01KBA9Y6X0S2V2Q4N8M7T5R3P1'],
    async run(call) {
      const app = text(call, 'app')
      const wanted = call.args.buildId as string | undefined
      const build =
        wanted === undefined
          ? pick(await buildsOf(call, app), app, { running: true })
          : await inspect(call, wanted, app)
      await cancel(call, build.id)
      call.out.deploy({ kind: 'step', text: `Cancelled the ${kindOf(build)} ${build.id} of ${app}` })
    },
  },
  {
    name: 'builds:prune',
    args: '[app]',
    summary: 'Remove the records and outputs of builds that have ended, all but the newest',
    options: [
      ['--keep <count>', "how many stay (the daemon's keepDeploys, 20)"],
      ['--all-apps', 'of every app'],
    ],
    examples: ['builds:prune blog', 'builds:prune blog --keep 3', 'builds:prune --all-apps'],
    async run(call) {
      const { app } = call.args
      if ((app === undefined) === (call.options.allApps !== true))
        throw invalid('Name an app, or give --all-apps.')
      const names =
        typeof app === 'string'
          ? [app]
          : (await call.client.json<Array<{ name: string }>>('appsList')).map(({ name }) => name)
      for (const name of names) {
        const { removed } = await call.client.json<{ removed: number }>('deploysPrune', {
          params: { app: name },
          query: { keep: option(call, 'keep') },
        })
        call.out.value({ app: name, removed }, () =>
          call.out.deploy({ kind: 'step', text: `Removed ${removed} of ${name}` }),
        )
      }
    },
  },
  {
    name: 'deploys:list',
    args: '<app>',
    summary: "List an app's deploys with the time of each stage",
    options: [['-n, --num <count>', 'how many (20)']],
    examples: ['deploys:list blog'],
    async run(call) {
      const deploys = await call.client.json<DeployInfo[]>('deploysList', {
        params: { app: text(call, 'app') },
        query: { limit: option(call, 'num') },
      })
      call.out.value(deploys, () =>
        call.out.table(
          ['Deploy', 'Status', 'Release', 'Started', 'Stages'],
          deploys.map((d) => [d.id, d.status, d.release, ago(d.started), d.error ?? stages(d)]),
        ),
      )
    },
  },
  {
    name: 'deploys:output',
    args: '<deploy>',
    summary: 'Print what a deploy wrote; -f follows a running one',
    options: [['-f, --follow', 'go on to its end']],
    examples: ['deploys:output 01JD3V --follow'],
    run: (call) => print(call, text(call, 'deploy'), call.options.follow === true),
  },
  {
    name: 'deploys:cancel',
    args: '<deploy>',
    summary: 'Cancel a running deploy; what runs stays as it is',
    examples: ['deploys:cancel 01JD3V'],
    run: (call) => cancel(call, text(call, 'deploy')),
  },
]

function buildsOf(call: Invocation, app: string | undefined): Promise<DeployInfo[]> {
  return app === undefined
    ? call.client.json('deploysRecent')
    : call.client.json('deploysList', { params: { app } })
}

/** @throws not-found where there is none, or another app's */
async function inspect(call: Invocation, deploy: string, app?: string): Promise<DeployInfo> {
  const build = await call.client.json<DeployInfo>('deploysInspect', { params: { deploy } })
  if (app !== undefined && build.app !== app) throw notFound(`${deploy} is no build of ${app}.`)
  return build
}

/** The one that runs, else the first that waits, else (where that will do) the newest. @throws conflict, not-found */
function pick(builds: DeployInfo[], app: string | undefined, { running }: { running: boolean }): DeployInfo {
  const open = builds.filter((build) => !isOver(build))
  const at = open.find(({ status }) => status === 'running') ?? open.at(-1)
  const see = { hint: `See what there was: kernel builds:list${app ? ` ${app}` : ''}` }
  if (app === undefined && new Set(open.map((build) => build.app)).size > 1)
    throw conflict(
      `Builds of several apps run: ${[...new Set(open.map((build) => build.app))].join(', ')}.`,
      {
        hint: 'Name one.',
      },
    )
  const found = at ?? (running ? undefined : builds[0])
  if (found) return found
  const whose = app === undefined ? '' : ` of ${app}`
  throw running ? conflict(`No build${whose} runs.`, see) : notFound(`There is no build${whose} yet.`)
}

async function print(call: Invocation, deploy: string, follow: boolean): Promise<void> {
  const options = { params: { deploy }, query: { follow }, signal: call.signal }
  for await (const line of call.client.lines<DeployLine>('deploysOutput', options)) call.out.deploy(line)
}

/** Tells the pusher who it was: over SSH the name of the key, here the user of the machine. */
function cancel(call: Invocation, deploy: string): Promise<void> {
  const by = process.env.KERNEL_USER || userInfo().username
  return call.client.send('deploysCancel', { params: { deploy }, query: { by } })
}

const stages = ({ spans }: DeployInfo) =>
  spans.map(({ stage, ms }) => `${stage} ${(ms / 1000).toFixed(2)}s`).join('  ')

function printList(call: Invocation, builds: DeployInfo[]): void {
  call.out.value(builds, () =>
    call.out.table(
      ['Build', 'App', 'Kind', 'Status', 'Release', 'Started', 'Revision', 'Stages'],
      builds.map((build) => [
        build.id,
        build.app,
        kindOf(build),
        build.status,
        build.release,
        ago(build.started),
        build.gitRev?.slice(0, 8),
        build.error ?? stages(build),
      ]),
    ),
  )
}
