/** Where the daemon is: `--host`, then KERNEL_HOST, then the default socket of this user. @module */
import { join } from 'node:path'
import { invalid } from '@kernel/contracts'

/** How to reach the daemon's API. */
export type Address =
  | { kind: 'unix'; path: string }
  | { kind: 'tcp'; protocol: 'http' | 'https'; host: string; port: number; token?: string }

/** The socket that a daemon without `--host` opens: root's in /run, anybody else's in their runtime dir. */
export function defaultSocket(env: NodeJS.ProcessEnv = process.env): string {
  if (process.getuid?.() === 0) return '/run/kernel/kernel.sock'
  return join(env.XDG_RUNTIME_DIR ?? join(env.HOME ?? '/tmp', '.local', 'run'), 'kernel', 'kernel.sock')
}

/**
 * Parses `unix:///path`, `tcp://host:port`, `http://host:port`, `https://host:port`.
 * A token comes from KERNEL_TOKEN, never from the command line (it would show in the process list).
 * @throws invalid
 */
export function parseAddress(
  text: string | undefined = process.env.KERNEL_HOST,
  env: NodeJS.ProcessEnv = process.env,
): Address {
  const value = text || `unix://${defaultSocket(env)}`
  if (value.startsWith('unix://')) {
    const path = value.slice('unix://'.length)
    if (path.startsWith('/')) return { kind: 'unix', path }
    throw invalid(`The host ${value} has no absolute path.`, { hint: 'Write unix:///run/kernel/kernel.sock' })
  }
  const found = /^(tcp|https?):\/\/(\[[0-9a-f:]+\]|[^:/]+):(\d{1,5})\/?$/i.exec(value)
  const port = Number(found?.[3])
  if (!found || port > 65535)
    throw invalid(`The host ${value} is no address.`, {
      hint: 'Write unix:///path/to/socket, tcp://host:port or https://host:port',
    })
  return {
    kind: 'tcp',
    protocol: found[1]!.toLowerCase() === 'https' ? 'https' : 'http',
    host: found[2]!.replace(/^\[|\]$/g, ''),
    port,
    ...(env.KERNEL_TOKEN ? { token: env.KERNEL_TOKEN } : {}),
  }
}

/** As it is shown to people. */
export function showAddress(address: Address): string {
  return address.kind === 'unix'
    ? `unix://${address.path}`
    : `${address.protocol}://${address.host}:${address.port}`
}
