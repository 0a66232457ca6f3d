/** daemon, doctor, complete: the commands that work on this machine itself, without a daemon. */
import { type CommandSpec, text } from '../command.ts'
import type { Settings } from '../daemon/settings.ts'

const marks = { ok: '✓', warn: '!', fail: '✗' } as const

export const localCommands: CommandSpec[] = [
  {
    name: 'daemon',
    summary: 'Run the daemon in the foreground',
    description: `Every flag can be set by environment as well: KERNEL_DATA_DIR, KERNEL_HOSTS, KERNEL_HTTP, KERNEL_HTTPS,
KERNEL_SSH, KERNEL_CONFIG, KERNEL_LOG_FORMAT, KERNEL_DEBUG, KERNEL_DRIVER, KERNEL_DOMAINS, KERNEL_STOP_WORKLOADS; the config file
(YAML or JSON) takes the same in camelCase. The command line wins over the environment, that over the file.
SIGTERM and SIGINT stop it; containers live on and the next start finds them. SIGHUP reads the config again.`,
    options: [
      ['--data-dir <dir>', 'where all state lives (/var/lib/kernel)'],
      [
        '--host <address>',
        'where the API listens: unix:///PATH, tcp://ADDRESS:PORT or fd:// (repeatable)',
        'repeatable',
      ],
      ['--http <address>', 'where the edge takes visitors in (0.0.0.0:80; repeatable)', 'repeatable'],
      ['--https <address>', 'where it takes them in by TLS, such as 0.0.0.0:443 (repeatable)', 'repeatable'],
      ['--ssh <address>', 'where pushes come in (0.0.0.0:2222); `false`: nowhere'],
      ['--config <file>', 'settings in YAML or JSON'],
      ['--driver <name>', 'auto, container or process'],
      ['--log-format <format>', 'json or pretty'],
      ['--debug', 'log more'],
      ['--stop-workloads', 'stop the apps with the daemon'],
    ],
    examples: [
      'daemon',
      'daemon --data-dir /srv/kernel --host unix:///run/kernel.sock --host tcp://127.0.0.1:2375 --http 0.0.0.0:80',
      'daemon --config /etc/kernel.yaml --log-format json',
    ],
    overSsh: false,
    async run({ options }) {
      const { keepCompiledCode } = await import('../daemon/compiled-code.ts')
      keepCompiledCode(process.env)
      const { runDaemon } = await import('../daemon/run.ts')
      const { format: _format, quiet: _quiet, trace: _trace, ...flags } = options
      return runDaemon(flags as import('../daemon/settings.ts').Flags)
    },
  },
  {
    name: 'doctor',
    summary: 'Check this machine, and say what to do about each line',
    description: 'Exit 1 where something must be done before apps can run.',
    options: [
      ['--data-dir <dir>', 'check the disk under this folder'],
      ['--config <file>', 'the settings the daemon is started with'],
    ],
    examples: ['doctor', 'doctor --config /etc/kernel.yaml', 'doctor --format json'],
    overSsh: false,
    async run({ out, options }) {
      const { doctorChecks } = await import('@kernel/plugin-runtime')
      const { decideSettings } = await import('../daemon/settings.ts')
      const { lockHolder } = await import('../daemon/lock-holder.ts')
      const settings = decideSettings({
        dataDir: typeof options.dataDir === 'string' ? options.dataDir : undefined,
        config: typeof options.config === 'string' ? options.config : undefined,
      })
      const pid = lockHolder(settings.dataDir)
      const checks = await doctorChecks({
        dataDir: settings.dataDir,
        ports: portsOf(settings),
        ownPids: pid === undefined ? [] : [pid],
      })
      out.value(checks, () => {
        const colour = { ok: out.colours.green, warn: out.colours.yellow, fail: out.colours.red }
        const width = Math.max(...checks.map(({ name }) => name.length))
        for (const { name, status, found, advice } of checks) {
          out.line(`${colour[status](marks[status])} ${name.padEnd(width)}  ${found}`)
          if (status !== 'ok')
            for (const line of advice.split('\n')) out.line(`  ${' '.repeat(width)}  -> ${line}`)
        }
      })
      return checks.some(({ status }) => status === 'fail') ? 1 : 0
    },
  },
  {
    name: 'complete',
    args: '<shell>',
    summary: 'Print the completion script for bash, zsh, fish or powershell',
    description:
      'It completes commands, flags and names of apps. For bash, the package bash-completion must be there.',
    examples: [
      'complete bash > /etc/bash_completion.d/kernel',
      'complete zsh > ~/.zsh/_kernel',
      'complete fish > ~/.config/fish/completions/kernel.fish',
    ],
    overSsh: false,
    async run(call) {
      const { completionScript } = await import('../completion-script.ts')
      completionScript(text(call, 'shell'))
    },
  },
]

/** Every TCP port the daemon opens, and what for. */
function portsOf({ http, https, ssh, hosts }: Settings): Array<{ port: number; purpose: string }> {
  const port = (address: string) => Number(address.slice(address.lastIndexOf(':') + 1))
  const tcp = hosts.filter((host) => host.startsWith('tcp://'))
  return [
    ...http.map((address) => ({ port: port(address), purpose: 'visitors' })),
    ...https.map((address) => ({ port: port(address), purpose: 'visitors by TLS' })),
    ...(ssh ? [{ port: port(ssh), purpose: 'pushes by SSH' }] : []),
    ...tcp.map((address) => ({ port: port(address), purpose: 'the API' })),
  ].filter((entry) => entry.port > 0)
}
