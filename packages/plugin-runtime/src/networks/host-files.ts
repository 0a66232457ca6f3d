import fs from 'node:fs'
import { type HostConfig, invalid } from '@kernel/contracts'
import ipaddr from 'ipaddr.js'

/** Where the name server inside a container's namespace listens; Docker's address. */
export const INTERNAL_DNS = '127.0.0.11'

/** The parts of a resolv.conf(5). */
export interface ResolvConf {
  servers: string[]
  search: string[]
  options: string[]
}

const STUB_UPSTREAM = '/run/systemd/resolve/resolv.conf'

export function parseResolvConf(text: string): ResolvConf {
  const conf: ResolvConf = { servers: [], search: [], options: [] }
  for (const line of text.split('\n')) {
    const [word, ...values] = line
      .replace(/[#;].*/, '')
      .trim()
      .split(/\s+/)
    if (word === 'nameserver' && values[0] && ipaddr.isValid(values[0].replace(/%.*/, ''))) {
      conf.servers.push(values[0])
    } else if (word === 'search' || word === 'domain') conf.search = values
    else if (word === 'options') conf.options.push(...values)
  }
  return conf
}

/** This machine's resolv.conf; empty where it has none. */
export function hostResolvConf(file = '/etc/resolv.conf'): ResolvConf {
  try {
    return parseResolvConf(fs.readFileSync(file, 'utf8'))
  } catch {
    return { servers: [], search: [], options: [] }
  }
}

/** Name servers of this machine that a container can reach itself: not the stub on 127.0.0.53, but those behind it. */
export function reachableServers(
  host = hostResolvConf(),
  behindStub = () => hostResolvConf(STUB_UPSTREAM),
): string[] {
  const far = (server: string) => ipaddr.isValid(server) && ipaddr.parse(server).range() !== 'loopback'
  const direct = host.servers.filter(far)
  return direct.length > 0 ? direct : behindStub().servers.filter(far)
}

/**
 * Contents of a container's resolv.conf.
 * @param internal whether it asks our server in its namespace, which asks further
 */
export function resolvConfFor(hostConfig: HostConfig, internal: boolean, host = hostResolvConf()): string {
  const asked = hostConfig.Dns ?? []
  const servers = internal ? [INTERNAL_DNS] : asked.length > 0 ? asked : reachableServers(host)
  const given = hostConfig.DnsSearch ?? []
  const search = given.length > 0 ? given.filter((domain) => domain !== '.') : host.search
  const wanted = hostConfig.DnsOptions ?? []
  const options =
    wanted.length > 0
      ? wanted
      : host.options.filter((option) => !internal || !/^(ndots|edns0|trust-ad)/.test(option))
  if (internal && !options.some((option) => option.startsWith('ndots:'))) options.push('ndots:0')
  return [
    ...servers.map((server) => `nameserver ${server}`),
    ...(search.length > 0 ? [`search ${search.join(' ')}`] : []),
    ...(options.length > 0 ? [`options ${options.join(' ')}`] : []),
    '',
  ].join('\n')
}

/**
 * Contents of a container's hosts file. `localhost` is IPv4 alone: programs that listen on 127.0.0.1 are not
 * found by clients that try ::1 first and give up.
 */
export function hostsFor(options: {
  addresses: string[]
  hostname: string
  domainname: string
  extra: Array<{ name: string; address: string }>
}): string {
  const { hostname, domainname } = options
  const names = domainname ? `${hostname}.${domainname} ${hostname}` : hostname
  return [
    '127.0.0.1\tlocalhost',
    '::1\tip6-localhost ip6-loopback',
    'fe00::\tip6-localnet',
    'ff00::\tip6-mcastprefix',
    'ff02::1\tip6-allnodes',
    'ff02::2\tip6-allrouters',
    ...options.extra.map((one) => `${one.address}\t${one.name}`),
    ...options.addresses.map((address) => `${address}\t${names}`),
    '',
  ].join('\n')
}

/** The machine's own hosts file with more lines, for containers in its network. */
export function hostsOfHost(extra: Array<{ name: string; address: string }>): string {
  let own = '127.0.0.1\tlocalhost\n'
  try {
    own = fs.readFileSync('/etc/hosts', 'utf8')
  } catch {
    // a machine without the file
  }
  return [own.trimEnd(), ...extra.map((one) => `${one.address}\t${one.name}`), ''].join('\n')
}

/** HostConfig.ExtraHosts: `name:address` or `name=address`, `host-gateway` standing for this machine. @throws invalid */
export function extraHosts(
  hostConfig: HostConfig,
  gateway: string,
): Array<{ name: string; address: string }> {
  return (hostConfig.ExtraHosts ?? []).map((line) => {
    const at = line.search(/[:=]/)
    const name = line.slice(0, Math.max(at, 0))
    const given = line.slice(at + 1).replace(/^\[(.*)\]$/, '$1')
    const address = given === 'host-gateway' ? gateway : given
    if (!/^[\w.-]+$/.test(name)) throw invalid(`bad format for add-host: "${line}"`)
    if (!ipaddr.isValid(address)) throw invalid(`invalid IP address in add-host: "${given}"`)
    return { name, address }
  })
}
