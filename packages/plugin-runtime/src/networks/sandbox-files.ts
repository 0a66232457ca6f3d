import type { SandboxRequest } from '../parts.ts'
import {
  extraHosts,
  hostResolvConf,
  hostsFor,
  hostsOfHost,
  INTERNAL_DNS,
  parseResolvConf,
  reachableServers,
  resolvConfFor,
} from './host-files.ts'
import type { NetworkStore } from './network-store.ts'
import type { SandboxRecord } from './records.ts'
import type { LiveSandboxes } from './sandbox-live.ts'

/** Decides whether the container asks our name server, and writes its hosts and resolv.conf into the record. */
export function writeFiles(
  record: SandboxRecord,
  request: SandboxRequest,
  context: { store: NetworkStore; live: LiveSandboxes; find: (ref: string) => SandboxRecord | undefined },
): void {
  const { hostConfig, hostname, domainname } = request
  const { store, live } = context
  const network = live.gateway(record)?.networkId ?? store.byName('bridge')?.id ?? ''
  const extra = extraHosts(hostConfig, store.get(network)?.gateway ?? '127.0.0.1')
  const addresses = record.endpoints.map((one) => one.address).filter(Boolean)
  if (record.netns === undefined) record.hosts = hostsOfHost(extra)
  else {
    const links = legacyLinks(request, context.find)
    record.hosts = hostsFor({ addresses, hostname, domainname, extra: [...links, ...extra] })
  }
  const own = record.netns !== undefined && addresses.length > 0
  record.dns = own && (record.endpoints.some((one) => live.hasNames(one)) || isBlind(record))
  record.resolvConf = resolvConfFor(hostConfig, record.dns, hostResolvConf())
}

/**
 * The default bridge has no names, so its containers ask the host's servers themselves, unless these are on the
 * host's loopback, where only we can ask them.
 */
function isBlind(record: SandboxRecord): boolean {
  return (
    record.dnsServers.length === 0 && hostResolvConf().servers.length > 0 && reachableServers().length === 0
  )
}

/** HostConfig.Links on the default bridge: lines of the hosts file, as there is no name server. */
function legacyLinks(
  request: SandboxRequest,
  find: (ref: string) => SandboxRecord | undefined,
): Array<{ name: string; address: string }> {
  const links = (request.hostConfig.Links as string[] | null | undefined) ?? []
  return links.flatMap((link) => {
    const [ref = '', alias = ref] = link.replace(/^\//, '').split(':')
    const target = find(ref)
    const address = target?.endpoints.find((one) => one.address)?.address
    return target && address ? [{ name: `${alias} ${target.name}`, address }] : []
  })
}

/** The hosts file with the line of an address that came, or without that of one that went. */
export function hostsWith(hosts: string, address: string, hostname: string): string {
  return `${hosts}${address}\t${hostname}\n`
}

export function hostsWithout(hosts: string, address: string): string {
  return hosts
    .split('\n')
    .filter((line) => !line.startsWith(`${address}\t`))
    .join('\n')
}

/** The resolv.conf of a container that came to a network with names. */
export function resolvConfWithNames(text: string): string {
  const { servers, search, options } = parseResolvConf(text)
  if (servers.includes(INTERNAL_DNS)) return text
  return resolvConfFor({}, true, { servers, search, options })
}
