/** What an SSH client asks for: a Git transfer, or a command of `kernel`. @module */
import { invalid } from '@kernel/contracts'
import { appOfPath } from '../git/app-path.ts'
import { splitWords } from './words.ts'

export type RemoteCommand =
  | { kind: 'git'; service: 'receive-pack' | 'upload-pack'; app: string }
  | { kind: 'kernel'; argv: string[] }

/** More than a client's own system passes to its ssh. */
const longest = 128 * 1024

/**
 * `git-receive-pack 'app'`, `git upload-pack app.git`, or a command of `kernel`, with or without that word in
 * front (`dokku` counts too: fingers know it).
 * @throws invalid
 */
export function parseRemoteCommand(line: string): RemoteCommand {
  if (line.length > longest) throw invalid('The command is too long.')
  if (line.includes('\0')) throw invalid('The command has a character that no command may have.')
  const words = splitWords(line)
  const [first = '', ...rest] = words
  const git = first === 'git' ? `git-${rest.shift() ?? ''}` : first
  if (git.startsWith('git-')) {
    const service = git.slice('git-'.length)
    if (service !== 'receive-pack' && service !== 'upload-pack')
      throw invalid(`${git} is not offered here.`, { hint: 'git push, git fetch and git clone are.' })
    if (rest.length !== 1) throw invalid(`${git} takes the name of one app.`)
    return { kind: 'git', service, app: appOfPath(rest[0]!) }
  }
  const argv = first === 'kernel' || first === 'dokku' ? rest : words
  return { kind: 'kernel', argv: argv.length > 0 ? argv : ['help'] }
}
