/** system:*, plugin:*, base:*, version, doctor */
import type { EngineEvent, LedgerEntry, ProgressMessage, SystemInfo } from '@kernel/contracts'
import { type CommandSpec, option } from '../command.ts'
import { bytes } from '../output/format.ts'
import { version } from '../version.ts'

interface PluginReport {
  name: string
  version: string
  state: string
  startMs?: number
  reason?: string
}

export const systemCommands: CommandSpec[] = [
  {
    name: 'version',
    summary: 'Print the version of this command, and of the daemon where one answers',
    options: [['--client', 'do not ask the daemon']],
    examples: ['version', 'version --format json'],
    async run({ client, out, options }) {
      const daemon = options.client
        ? undefined
        : await client.json<SystemInfo>('systemInfo').then(
            (info) => info.version,
            () => undefined,
          )
      out.value({ version, daemon, node: process.versions.node }, () => {
        out.line(`kernel ${version}`)
        if (daemon && daemon !== version) out.line(`daemon ${daemon}`)
      })
    },
  },
  {
    name: 'system:info',
    summary: 'Show what the daemon is and where it listens',
    examples: ['system:info', 'system:info --format json'],
    async run({ client, out }) {
      const info = await client.json<SystemInfo>('systemInfo')
      out.value(info, () => {
        out.report('kernel information', {
          Version: info.version,
          Driver: info.isolated ? info.driver : `${info.driver} (no isolation)`,
          'Data dir': info.dataDir,
          API: info.api.join(' '),
          Edge: info.edge.map(({ protocol, host, port }) => `${protocol}://${host}:${port}`).join(' '),
          SSH:
            info.ssh &&
            `ssh://${info.ssh.user}@${info.ssh.host}:${info.ssh.port} (${info.ssh.hostKeyFingerprint})`,
          Domains: info.domains.join(' '),
          Started: info.startedAt,
        })
        if (info.warning) out.error(info.warning)
      })
    },
  },
  {
    name: 'system:ledger',
    summary: 'Show who pins which bytes of the disk',
    options: [['--garbage', 'only what nothing pins']],
    examples: ['system:ledger', 'system:ledger --garbage', 'system:ledger --format json'],
    async run({ client, out, options }) {
      const all = await client.json<LedgerEntry[]>('systemLedger')
      const entries = options.garbage ? all.filter(({ pinnedBy }) => pinnedBy.length === 0) : all
      out.value(entries, () => {
        out.table(
          ['Kind', 'Id', 'Size', 'Pinned by'],
          entries.map((e) => [
            e.kind,
            e.id.replace(/^(sha256:)?([0-9a-f]{12})[0-9a-f]{52}$/, '$2'),
            bytes(e.bytes),
            e.pinnedBy.join(', ') || '(nothing)',
          ]),
        )
        if (!out.quiet)
          out.line(`${bytes(entries.reduce((sum, e) => sum + e.bytes, 0))} in ${entries.length} entries`)
      })
    },
  },
  {
    name: 'system:events',
    summary: 'Print events as they happen',
    options: [['--since <seconds>', 'first those since a Unix time']],
    examples: ['system:events', 'system:events --format json'],
    async run(call) {
      const events = call.client.lines<Omit<EngineEvent, 'timeNano'>>('systemEvents', {
        query: { since: option(call, 'since') },
        signal: call.signal,
      })
      for await (const event of events) {
        const attributes = Object.entries(event.Actor.Attributes).map(([key, value]) => `${key}=${value}`)
        if (call.out.json) call.out.line(JSON.stringify(event))
        else
          call.out.line(
            `${new Date(event.time * 1000).toISOString()} ${event.Type} ${event.Action} ${event.Actor.ID.slice(0, 40)} (${attributes.join(', ')})`,
          )
      }
    },
  },
  {
    name: 'plugin:list',
    summary: 'List the plugins with their state',
    examples: ['plugin:list'],
    async run({ client, out }) {
      const plugins = await client.json<PluginReport[]>('systemPlugins')
      out.value(plugins, () =>
        out.table(
          ['Plugin', 'Version', 'State', 'Start', 'Reason'],
          plugins.map((p) => [
            p.name,
            p.version,
            p.state,
            p.startMs === undefined ? '' : `${Math.round(p.startMs)} ms`,
            p.reason,
          ]),
        ),
      )
    },
  },
  {
    name: 'base:build',
    summary: 'Put the base image together from this machine',
    description:
      'The same inputs give the same digest. Apps built by the node and static builders stand on it.',
    examples: ['base:build'],
    async run({ client, out }) {
      const result = await client.operate<
        ProgressMessage,
        { id: string; ref: string; built: boolean; size: number }
      >('baseBuild', {}, (message) => {
        const text = (message.stream ?? message.status ?? '').trimEnd()
        if (text && !out.json) out.deploy({ kind: 'detail', text })
      })
      if (result) out.value(result, () => out.line(`${result.ref} ${result.id} ${bytes(result.size)}`))
    },
  },
]
