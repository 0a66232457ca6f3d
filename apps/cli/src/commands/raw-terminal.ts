/** Puts this terminal out of the way of a remote one. @module */
import { spawnSync } from 'node:child_process'
import type { ReadStream } from 'node:tty'

/**
 * Nothing is changed on the way in or out until what is returned is called. Node's own raw mode still turns
 * every `\n` into `\r\n` on output, which garbles full-screen programs; stty(1) does not.
 */
export function rawTerminal(stdin: ReadStream): () => void {
  const stty = (...args: string[]) => {
    const { status, stdout } = spawnSync('stty', args, {
      stdio: ['inherit', 'pipe', 'ignore'],
      encoding: 'utf8',
    })
    return status === 0 ? stdout.trim() : undefined
  }
  const saved = stty('-g')
  stdin.setRawMode(true)
  if (saved) stty('-opost')
  return () => {
    stdin.setRawMode(false)
    if (saved) stty(saved)
  }
}
