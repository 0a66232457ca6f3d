/** ps:* */
import { type ApiRouteName, type DeployLine, invalid, type ProcessReport } from '@kernel/contracts'
import { type CommandSpec, type Invocation, list, text } from '../command.ts'
import { ago, counts } from '../output/format.ts'

interface Report {
  app: string
  state: string
  scale: Record<string, number>
  processes: ProcessReport[]
}

export const psCommands: CommandSpec[] = [
  {
    name: 'ps:report',
    args: '<app>',
    summary: "Show an app's processes",
    examples: ['ps:report blog', 'ps:report blog --format json'],
    async run(call) {
      const report = await call.client.json<Report>('psReport', { params: app(call) })
      call.out.value(report, () => {
        call.out.report(`${report.app} ps information`, { State: report.state, Scale: counts(report.scale) })
        call.out.table(
          ['Process', 'Status', 'Release', 'Started', 'Restarts', 'Address'],
          report.processes.map((p) => [
            p.name,
            p.exitCode === undefined
              ? p.status + (p.notReady === undefined ? '' : ' (not ready)')
              : `${p.status} (${p.exitCode})`,
            p.release,
            ago(p.startedAt),
            p.restarts,
            p.address,
          ]),
        )
        for (const { name, notReady } of report.processes)
          if (notReady !== undefined)
            call.out.line(`       ${name} gets no requests: it does not pass ${notReady}`)
      })
    },
  },
  {
    name: 'ps:scale',
    args: '<app> [counts...]',
    summary: 'Show or set how many processes of each type run',
    examples: ['ps:scale blog', 'ps:scale blog web=2 worker=1'],
    async run(call) {
      const wanted = list(call, 'counts')
      if (wanted.length === 0) {
        const { scale } = await call.client.json<Report>('psReport', { params: app(call) })
        return call.out.value(scale, () => call.out.table(['Type', 'Count'], Object.entries(scale)))
      }
      const values: Record<string, number> = {}
      for (const pair of wanted) {
        const found = /^([A-Za-z0-9_-]+)=(\d{1,3})$/.exec(pair)
        if (!found)
          throw invalid(`${pair} is not of the form TYPE=COUNT.`, { hint: 'kernel ps:scale APP web=2' })
        values[found[1]!] = Number(found[2])
      }
      await operate(call, 'psScale', { counts: values })
    },
  },
  {
    name: 'ps:restart',
    args: '<app> [type]',
    summary: 'Restart without dropping a request: the new ones pass their checks first',
    examples: ['ps:restart blog', 'ps:restart blog worker'],
    run: (call) => operate(call, 'psRestart', { type: call.args.type }),
  },
  {
    name: 'ps:stop',
    args: '<app>',
    summary: 'Stop an app; its URL answers 503',
    examples: ['ps:stop blog'],
    run: (call) => operate(call, 'psStop', {}),
  },
  {
    name: 'ps:start',
    args: '<app>',
    summary: 'Start it again',
    examples: ['ps:start blog'],
    run: (call) => operate(call, 'psStart', {}),
  },
  {
    name: 'ps:rebuild',
    args: '<app>',
    summary: 'Build the deployed commit again and deploy it',
    options: [['--no-cache', 'build every step anew']],
    examples: ['ps:rebuild blog', 'ps:rebuild blog --no-cache'],
    run: (call) => operate(call, 'psRebuild', { noCache: call.options.cache === false }),
  },
  {
    name: 'releases:list',
    args: '<app>',
    summary: "List an app's releases, newest first",
    examples: ['releases:list blog'],
    async run(call) {
      const releases = await call.client.json<import('@kernel/contracts').ReleaseInfo[]>('releasesList', {
        params: app(call),
      })
      call.out.value(releases, () =>
        call.out.table(
          ['', 'Release', 'Created', 'By', 'Source', 'Revision', 'Description'],
          releases.map((r) => [
            r.current ? '*' : '',
            r.id,
            ago(r.created),
            r.user,
            r.pruned ? `${r.source} (pruned)` : r.frozen ? `${r.source} (frozen)` : r.source,
            r.gitRev?.slice(0, 8),
            r.description,
          ]),
        ),
      )
    },
  },
  {
    name: 'releases:rollback',
    args: '<app> [release]',
    summary: 'Go back to the release before this one, or to the one named, without a build',
    description:
      'Processes that stand in the freezer (apps:set APP keep-frozen 1) are used where there are any.',
    options: [
      ['--frozen', 'only by the processes in the freezer: fail where there are none'],
      ['--no-frozen', 'start new processes, whatever is in the freezer'],
    ],
    examples: ['releases:rollback blog', 'releases:rollback blog v3', 'releases:rollback blog 3 --frozen'],
    run: (call) =>
      operate(call, 'releasesRollback', { release: call.args.release, frozen: call.options.frozen }),
  },
]

function app(call: Invocation): { app: string } {
  return { app: text(call, 'app') }
}

async function operate(call: Invocation, route: ApiRouteName, body: Record<string, unknown>): Promise<void> {
  const result = await call.client.operate<DeployLine, unknown>(
    route,
    { params: app(call), body, signal: call.signal },
    (line) => call.out.deploy(line),
  )
  if (call.out.json) call.out.line(JSON.stringify({ result }))
}
