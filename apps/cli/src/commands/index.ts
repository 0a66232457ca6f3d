/** All commands, by subject; help lists them in this order. */
import type { CommandSpec } from '../command.ts'
import { accessCommands } from './access.ts'
import { appsCommands } from './apps.ts'
import { buildsCommands } from './builds.ts'
import { certsCommands } from './certs.ts'
import { configCommands } from './config.ts'
import { domainsCommands } from './domains.ts'
import { edgeCommands } from './edge.ts'
import { httpAuthCommands } from './http-auth.ts'
import { letsencryptCommands } from './letsencrypt.ts'
import { localCommands } from './local.ts'
import { streamCommands } from './logs.ts'
import { pagesCommands } from './pages.ts'
import { psCommands } from './ps.ts'
import { settingsCommands } from './settings.ts'
import { sshExecCommands } from './ssh-exec.ts'
import { systemCommands } from './system.ts'

export const commandGroups: Array<{ title: string; commands: CommandSpec[] }> = [
  { title: 'Apps:', commands: appsCommands },
  { title: 'Config:', commands: configCommands },
  { title: 'Domains:', commands: domainsCommands },
  { title: 'Certificates:', commands: [...certsCommands, ...letsencryptCommands] },
  { title: 'Visitors:', commands: [...edgeCommands, ...httpAuthCommands, ...pagesCommands] },
  { title: 'Processes and releases:', commands: psCommands },
  { title: 'Builds and deploys:', commands: buildsCommands },
  { title: 'Logs and commands:', commands: streamCommands },
  { title: 'Builders and checks:', commands: settingsCommands },
  { title: 'Access:', commands: [...accessCommands, ...sshExecCommands] },
  { title: 'System:', commands: systemCommands },
  { title: 'This machine:', commands: localCommands },
]
