/** builder:*, checks:* */
import type { AppSummary, CheckSettings, DeployLine } from '@kernel/contracts'
import { type CommandSpec, type Invocation, text } from '../command.ts'

const app = (call: Invocation) => ({ app: text(call, 'app') })

const setting = (call: Invocation) => ({
  params: { ...app(call), key: text(call, 'key') },
  body: { value: String(call.args.value ?? '') },
})

async function names(call: Invocation): Promise<string[]> {
  if (typeof call.args.app === 'string') return [call.args.app]
  return (await call.client.json<AppSummary[]>('appsList')).map(({ name }) => name)
}

export const settingsCommands: CommandSpec[] = [
  {
    name: 'builder:report',
    args: '[app]',
    summary: 'Show how an app is built',
    examples: ['builder:report blog'],
    async run(call) {
      const reports = await Promise.all(
        (await names(call)).map(async (name) => ({
          app: name,
          ...(await call.client.json<Record<string, string>>('buildersReport', { params: { app: name } })),
        })),
      )
      call.out.value(call.args.app ? reports[0] : reports, () => {
        for (const { app: name, ...entries } of reports)
          call.out.report(`${name} builder information`, entries)
      })
    },
  },
  {
    name: 'builder:set',
    args: '<app> <key> [value]',
    summary: 'Set selected, base, build-dir or dockerfile-path; no value clears it',
    examples: [
      'builder:set blog selected dockerfile',
      'builder:set blog base node:22',
      'builder:set blog build-dir web',
    ],
    run: (call) => call.client.send('buildersSet', setting(call)),
  },
  {
    name: 'checks:report',
    args: '[app]',
    summary: 'Show how an app is checked before it is routed to',
    examples: ['checks:report blog'],
    async run(call) {
      const reports = await Promise.all(
        (await names(call)).map(async (name) => ({
          app: name,
          ...(await call.client.json<CheckSettings>('checksReport', { params: { app: name } })),
        })),
      )
      call.out.value(call.args.app ? reports[0] : reports, () => {
        for (const { app: name, ...settings } of reports)
          call.out.report(`${name} checks information`, {
            Enabled: settings.enabled,
            Path: settings.path ?? '(the port answers)',
            Timeout: `${settings.timeout}s`,
            'Attempt timeout': `${settings.attemptTimeout}s`,
            'Wait to retire': `${settings.waitToRetire}s`,
          })
      })
    },
  },
  {
    name: 'checks:set',
    args: '<app> <key> [value]',
    summary: 'Set path, timeout, attempt-timeout or wait-to-retire; no value clears it',
    examples: ['checks:set blog path /healthz', 'checks:set blog wait-to-retire 10'],
    run: (call) => call.client.send('checksSet', setting(call)),
  },
  {
    name: 'checks:enable',
    args: '<app>',
    summary: 'Switch checks on',
    examples: ['checks:enable blog'],
    run: (call) => call.client.send('checksEnable', { params: app(call) }),
  },
  {
    name: 'checks:disable',
    args: '<app>',
    summary: 'Switch checks off: a new release takes over as soon as it runs',
    examples: ['checks:disable blog'],
    run: (call) => call.client.send('checksDisable', { params: app(call) }),
  },
  {
    name: 'checks:run',
    args: '<app>',
    summary: 'Check what runs now; exit 1 where it does not pass',
    examples: ['checks:run blog'],
    async run(call) {
      const result = await call.client.operate<DeployLine, { passed: boolean }>(
        'checksRun',
        { params: app(call), signal: call.signal },
        (line) => call.out.deploy(line),
      )
      return result?.passed ? 0 : 1
    },
  },
]
