/** apps:* */
import { type AppReport, type AppSummary, invalid } from '@kernel/contracts'
import { type CommandSpec, text } from '../command.ts'
import { ago, bytes, counts } from '../output/format.ts'

export const appsCommands: CommandSpec[] = [
  {
    name: 'apps:list',
    summary: 'List the apps',
    examples: ['apps:list', 'apps:list --format json'],
    async run({ client, out }) {
      const apps = await client.json<AppSummary[]>('appsList')
      out.value(apps, () =>
        out.table(
          ['App', 'State', 'Release', 'Processes', 'Deployed', 'URL'],
          apps.map((app) => [
            app.name,
            app.deploy ? 'deploying' : app.state,
            app.release,
            counts(app.processes),
            ago(app.deployed),
            app.urls[0],
          ]),
        ),
      )
    },
  },
  {
    name: 'apps:create',
    args: '<app>',
    summary: 'Create an app',
    description: 'A first push creates the app as well.',
    examples: ['apps:create blog'],
    async run(call) {
      const app = await call.client.json<AppSummary>('appsCreate', { body: { name: text(call, 'app') } })
      call.out.value(app, () => call.out.line(`-----> Creating ${app.name}...`))
    },
  },
  {
    name: 'apps:report',
    args: '[app]',
    summary: 'Show all about an app, or about every app',
    examples: ['apps:report', 'apps:report blog', 'apps:report blog --format json'],
    async run({ args, client, out }) {
      const names = args.app
        ? [String(args.app)]
        : (await client.json<AppSummary[]>('appsList')).map((a) => a.name)
      const reports = await Promise.all(
        names.map((app) => client.json<AppReport>('appsReport', { params: { app } })),
      )
      out.value(args.app ? reports[0] : reports, () => {
        for (const report of reports) out.report(`${report.name} app information`, reportEntries(report))
      })
    },
  },
  {
    name: 'apps:exists',
    args: '<app>',
    summary: 'Exit 0 where the app exists, 3 where not',
    examples: ['apps:exists blog'],
    async run(call) {
      await call.client.json('appsReport', { params: { app: text(call, 'app') } })
    },
  },
  {
    name: 'apps:rename',
    args: '<app> <new-name>',
    summary: 'Rename an app; its default domain follows',
    examples: ['apps:rename blog journal'],
    async run(call) {
      await call.client.send('appsRename', {
        params: { app: text(call, 'app') },
        body: { name: text(call, 'newName') },
      })
      call.out.deploy({ kind: 'step', text: `Renamed ${text(call, 'app')} to ${text(call, 'newName')}` })
    },
  },
  {
    name: 'apps:destroy',
    args: '<app>',
    summary: 'Destroy an app with its releases, config, domains and repository',
    options: [
      ['-f, --force', 'do not ask'],
      ['--confirm <app>', "the app's name once more, in place of the question"],
    ],
    examples: ['apps:destroy blog', 'apps:destroy blog --force'],
    async run(call) {
      const app = text(call, 'app')
      if (!call.options.force && call.options.confirm !== app) {
        const { confirmName } = await import('../output/confirm.ts')
        if (
          !(await confirmName(`This destroys ${app} and all that belongs to it. Its name, to confirm:`, app))
        )
          throw invalid(`${app} was not destroyed: its name was not confirmed.`, {
            hint: `Without a terminal: kernel apps:destroy ${app} --confirm ${app}`,
          })
      }
      await call.client.send('appsDestroy', { params: { app } })
      call.out.deploy({ kind: 'step', text: `Destroyed ${app}` })
    },
  },
  {
    name: 'apps:set',
    args: '<app> <key> [value]',
    summary: 'Set a property of an app (deploy-branch, keep-frozen); no value clears it',
    description:
      'keep-frozen: how many releases stand in the freezer after they have served, for releases:rollback in an instant. Each keeps its memory.',
    examples: [
      'apps:set blog deploy-branch production',
      'apps:set blog deploy-branch',
      'apps:set blog keep-frozen 1',
    ],
    async run(call) {
      const params = { app: text(call, 'app'), key: text(call, 'key') }
      await call.client.send('appsSet', { params, body: { value: String(call.args.value ?? '') } })
    },
  },
  {
    name: 'apps:lock',
    args: '<app>',
    summary: 'Refuse deploys until apps:unlock',
    examples: ['apps:lock blog'],
    async run(call) {
      await call.client.send('appsLock', { params: { app: text(call, 'app') } })
    },
  },
  {
    name: 'apps:unlock',
    args: '<app>',
    summary: 'Take deploys in again',
    examples: ['apps:unlock blog'],
    async run(call) {
      await call.client.send('appsUnlock', { params: { app: text(call, 'app') } })
    },
  },
]

function reportEntries(app: AppReport): Record<string, string | number | boolean | undefined> {
  return {
    State: app.deploy ? 'deploying' : app.state,
    URLs: app.urls.join(' '),
    Release: app.release,
    'Git revision': app.gitRev,
    'Deploy branch': app.deployBranch,
    'Keep frozen': app.keepFrozen,
    Frozen: app.frozen.join(' '),
    Deployed: app.deployed ? `${app.deployed} (${ago(app.deployed)})` : undefined,
    Created: app.created,
    Processes: counts(app.processes),
    Scale: counts(app.scale),
    Domains: app.domains.join(' '),
    Builder:
      app.builder.selected ?? (app.builder.detected ? `${app.builder.detected} (detected)` : undefined),
    'Base image': app.builder.base,
    'Image size': bytes(app.artifactSize),
    Driver: app.driver,
    Locked: app.locked,
  }
}
