import type { IncomingHttpHeaders } from 'node:http'
import { isIP } from 'node:net'
import { denied } from '@kernel/contracts'

/**
 * Refuses what a foreign web page makes a browser send. Browsers mark their requests (`Sec-Fetch-*`,
 * `Origin`; `Cookie` for ours), other clients send none of these and pass.
 *
 * - Only pages of this server may call it (cross-site request forgery).
 * - The page has to be served under an address, `localhost`, or a trusted name: a foreign name may point
 *   here by DNS rebinding, and its pages would count as ours.
 *
 * It holds on the unix socket too, which people forward to a port of their own machine.
 * @throws denied
 */
export function refuseForeignPages(
  headers: IncomingHttpHeaders,
  trustedHosts: string[],
  hasCookie: boolean,
): void {
  const site = headers['sec-fetch-site']
  const origin = headers.origin
  if (site === undefined && origin === undefined && !hasCookie) return
  const host = headers.host ?? ''
  if (!isTrustedHost(host, trustedHosts))
    throw denied(`This server is not known under the name ${host}`, {
      hint: 'Add the name to trustedHosts, or use the address.',
    })
  const foreign = site !== undefined && site !== 'same-origin' && site !== 'none'
  const elsewhere = origin !== undefined && hostOf(origin) !== host.toLowerCase()
  if (foreign || elsewhere) throw denied('A page of another site may not call this server')
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined
}

function isTrustedHost(host: string, trusted: string[]): boolean {
  if (!URL.canParse(`http://${host}`)) return false
  const { hostname } = new URL(`http://${host}`)
  const bare = hostname.replace(/^\[|\]$/g, '')
  return bare === 'localhost' || bare.endsWith('.localhost') || isIP(bare) !== 0 || trusted.includes(bare)
}
