/** Whose request it is, where proxies stand in front. @module */
import { isIP } from 'node:net'

/**
 * The nearest address that is no trusted proxy's: of `peer`, then of X-Forwarded-For from its end, to which each proxy
 * has added whom it saw. What stands before the first one that nobody vouches for is a visitor's own invention.
 * @param forwardedFor the header as a trusted peer sent it; undefined: there is none, or the peer is not trusted
 */
export function clientAddress(
  peer: string,
  forwardedFor: string | undefined,
  isTrusted: (address: string) => boolean,
): string {
  if (forwardedFor === undefined) return peer
  let client = peer
  const hops = forwardedFor.split(',')
  for (let at = hops.length - 1; at >= 0; at--) {
    const hop = bareAddress(hops[at]!)
    if (isIP(hop) === 0) break
    client = hop
    if (!isTrusted(hop)) break
  }
  return client
}

/** `192.0.2.1:4711` and `[2001:db8::1]:4711` without their ports. */
function bareAddress(hop: string): string {
  const text = hop.trim()
  return /^\[([^\]]+)\](?::\d+)?$/.exec(text)?.[1] ?? /^([\d.]+):\d+$/.exec(text)?.[1] ?? text
}
