import { invalid } from '@kernel/contracts'

/** Where a listener is, as parsed from a host string. */
export type ListenAddress =
  | { kind: 'unix'; path: string }
  | { kind: 'tcp'; host: string; port: number }
  /** Sockets passed by systemd: all of them, or the one with this number or name. */
  | { kind: 'fd'; name: string }

/**
 * Reads a host as dockerd's `-H` has it: `unix:///path`, `tcp://host:port` (IPv6 in brackets), `fd://`,
 * `fd://3` or `fd://name`.
 * @throws invalid
 */
export function parseAddress(text: string): ListenAddress {
  const [, scheme, rest = ''] = /^([a-z]+):\/\/(.*)$/.exec(text) ?? []
  if (scheme === 'unix') return { kind: 'unix', path: unixPath(text, rest) }
  if (scheme === 'fd') return { kind: 'fd', name: rest === '*' ? '' : rest }
  if (scheme === 'tcp') {
    const [, bracketed, plain, digits] =
      /^(?:\[([0-9a-fA-F:.]+)\]|([^:/[\]]+)):(\d{1,5})\/?$/.exec(rest) ?? []
    const port = Number(digits)
    if (digits !== undefined && port <= 65535) return { kind: 'tcp', host: (bracketed ?? plain)!, port }
    throw invalid(`"${text}" is no address to listen on`, {
      hint: 'Name host and port, for example tcp://127.0.0.1:2375.',
    })
  }
  throw invalid(`"${text}" is no address to listen on`, {
    hint: 'Use unix:///path/to.sock, tcp://127.0.0.1:2375 or fd:// (sockets passed by systemd).',
  })
}

/** sun_path has 108 bytes, one of them for the end; the kernel would cut a longer one. */
const longestUnixPath = 107

function unixPath(text: string, path: string): string {
  if (!path.startsWith('/'))
    throw invalid(`"${text}" is no absolute path`, { hint: 'Write three slashes: unix:///run/kernel.sock.' })
  if (Buffer.byteLength(path) > longestUnixPath)
    throw invalid(
      `The socket's path ${path} is longer than ${longestUnixPath} bytes, which Linux does not allow`,
    )
  return path
}

/** The same address in its one spelling, for comparing and showing. */
export function formatAddress(address: ListenAddress): string {
  if (address.kind === 'unix') return `unix://${address.path}`
  if (address.kind === 'fd') return `fd://${address.name}`
  return `tcp://${hostAndPort(address.host, address.port)}`
}

export function hostAndPort(host: string, port: number): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}
