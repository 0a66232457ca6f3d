/**
 * The other way in, as sshcommand has it: the system's sshd lets keys in by a user's authorized_keys, and each key
 * can do nothing but run `kernel ssh-exec`.
 * @module
 */
import { chown, readFile, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { SshKey } from '@kernel/contracts'
import { writeFileAtomic } from '@kernel/state'
import { quote } from 'shell-quote'

const begin = '# Keys of kernel: written by it, changes are lost.'
const end = '# End of the keys of kernel.'

export interface ForcedCommand {
  /** Program and first arguments of the `kernel` command. */
  cli: string[]
  /** The daemon's API, as KERNEL_HOST. */
  host?: string
}

/** A line of authorized_keys, see sshd(8). A terminal is allowed, for `enter` and `run`; nothing else is. */
export function authorizedKeysLine(key: SshKey, { cli, host }: ForcedCommand): string {
  const environment = host ? ['env', `KERNEL_HOST=${host}`] : []
  const command = quote([...environment, ...cli, 'ssh-exec', '--key', key.name])
  return `restrict,pty,command="${command.replaceAll('"', '\\"')}" ${key.publicKey} ${key.name}`
}

/**
 * Puts the lines of these keys into the file in place of those it wrote there before; lines of others stay. The
 * file is readable by all, since sshd reads it as its user, and belongs to whom its folder belongs.
 */
export async function writeAuthorizedKeys(
  file: string,
  keys: SshKey[],
  command: ForcedCommand,
): Promise<void> {
  const before = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return ''
    throw error
  })
  const lines = before.split('\n').filter((line, index, all) => line !== '' || index < all.length - 1)
  const from = lines.indexOf(begin)
  const to = lines.indexOf(end, from)
  const others = from < 0 ? lines : [...lines.slice(0, from), ...(to < 0 ? [] : lines.slice(to + 1))]
  const ours = keys.length === 0 ? [] : [begin, ...keys.map((key) => authorizedKeysLine(key, command)), end]
  const text = [...others, ...ours].map((line) => `${line}\n`).join('')
  if (text === before) return
  await writeFileAtomic(file, text, { mode: 0o644 })
  const owner = await stat(dirname(file))
  if (process.getuid?.() === 0) await chown(file, owner.uid, owner.gid)
}
