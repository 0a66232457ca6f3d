/** `/git/ssh`: an SSH session that the system's sshd has let in, handed on by `kernel ssh-exec`. @module */
import { denied, type HttpHandler, invalid } from '@kernel/contracts'
import type { KeyStore } from '../access/key-store.ts'
import type { Exchange } from '../command/exchange.ts'
import type { Handlers } from '../command/handle.ts'
import { framedClient } from './frames.ts'

/**
 * Query: `key` (its name, which has to be let in still), `command` (SSH_ORIGINAL_COMMAND; empty: a shell was asked
 * for), `protocol` (GIT_PROTOCOL), `rows` and `columns` (of the terminal, where there is one).
 */
export function sshStream(
  keys: KeyStore,
  handlers: Handlers,
  greeting: (user: string) => string,
): HttpHandler {
  return async (request, env) => {
    env.route = '/git/ssh'
    const query = new URL(request.url).searchParams
    const user = query.get('key') ?? ''
    if (!keys.has(user))
      throw denied(`The SSH key ${JSON.stringify(user)} is not let in any longer.`, {
        hint: 'Write authorized_keys again: kernel ssh-keys:authorized-keys',
      })
    if (!env.upgradable)
      throw invalid('An SSH session needs both directions.', { hint: 'Use kernel ssh-exec.' })
    const client = framedClient(env.hijack('application/vnd.kernel.frames'))
    const [rows, columns] = ['rows', 'columns'].map((name) => Number(query.get(name))) as [number, number]
    const protocol = query.get('protocol')
    const exchange: Exchange = {
      user,
      input: client.input,
      output: client.output,
      error: client.error,
      gone: client.gone,
      env: protocol ? { GIT_PROTOCOL: protocol } : {},
      ...(rows > 0 && columns > 0 && { terminal: { rows, columns, onResize: client.onResize } }),
    }
    void serve(exchange, query.get('command') ?? '').then(client.exit)
    return env.hijacked
  }

  async function serve(exchange: Exchange, command: string): Promise<number> {
    let code = 0
    if (command.trim() === '') exchange.output.write(greeting(exchange.user))
    else code = await handlers.command(command, exchange)
    const { output, error } = exchange
    await Promise.all([output, error].map((stream) => new Promise<void>((resolve) => stream.end(resolve))))
    return code
  }
}
