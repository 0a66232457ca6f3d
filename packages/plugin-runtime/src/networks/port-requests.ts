import { type ContainerConfig, type HostConfig, invalid } from '@kernel/contracts'
import { isIPv4 } from './subnets.ts'

/** A port that is to be published: on a host port out of a range, of which 0 to 0 means any. */
export interface PortRequest {
  protocol: 'tcp' | 'udp'
  containerPort: number
  hostIp: string
  firstPort: number
  lastPort: number
}

/**
 * What HostConfig.PortBindings and PublishAllPorts ask for, in the order of the container's ports.
 * @param defaultIp host address where none is named, for example `0.0.0.0`
 * @throws invalid for what is no port, no IPv4 address, or neither tcp nor udp
 */
export function portRequests(
  config: ContainerConfig,
  hostConfig: HostConfig,
  defaultIp = '0.0.0.0',
): PortRequest[] {
  const bindings: Record<string, Array<{ HostIp?: string; HostPort?: string }>> = {}
  if (hostConfig.PublishAllPorts) {
    for (const port of Object.keys(config.ExposedPorts ?? {})) bindings[normalizePort(port)] = [{}]
  }
  for (const [port, list] of Object.entries(hostConfig.PortBindings ?? {})) {
    // An empty list means one binding, to any port.
    if (list) bindings[normalizePort(port)] = list.length > 0 ? list : [{}]
  }
  return Object.entries(bindings).flatMap(([port, list]) => {
    const [number = '', protocol = ''] = port.split('/')
    return list.map((binding) => ({
      protocol: protocol as 'tcp' | 'udp',
      containerPort: Number(number),
      hostIp: hostAddress(binding.HostIp || defaultIp),
      ...hostRange(binding.HostPort ?? ''),
    }))
  })
}

/** All ports that inspect lists: exposed by the image, or published. */
export function knownPorts(config: ContainerConfig, hostConfig: HostConfig): string[] {
  const all = [...Object.keys(config.ExposedPorts ?? {}), ...Object.keys(hostConfig.PortBindings ?? {})]
  return [...new Set(all.map(normalizePort))]
}

/** `80` and `80/TCP` are `80/tcp`. @throws invalid */
export function normalizePort(text: string): string {
  const [number = '', protocol = 'tcp', ...rest] = text.toLowerCase().split('/')
  if (!isPort(number) || Number(number) === 0 || rest.length > 0) {
    throw invalid(`invalid port specification: "${text}"`)
  }
  if (protocol !== 'tcp' && protocol !== 'udp') {
    throw invalid(`invalid port specification: "${text}": protocol ${protocol} cannot be published`, {
      hint: 'Use tcp or udp',
    })
  }
  return `${number}/${protocol}`
}

function hostAddress(text: string): string {
  if (isIPv4(text)) return text
  throw invalid(`invalid host address to publish a port at: ${text}`, {
    hint: 'Ports are published on IPv4 addresses of this machine, 0.0.0.0 for all of them',
  })
}

function hostRange(text: string): { firstPort: number; lastPort: number } {
  const [first = '', last = first, ...rest] = text.split('-')
  const range = { firstPort: Number(first), lastPort: Number(last) }
  const good = text === '' || (isPort(first) && isPort(last) && rest.length === 0)
  if (!good || range.firstPort > range.lastPort) throw invalid(`invalid host port: "${text}"`)
  return range
}

function isPort(text: string): boolean {
  return /^\d{1,5}$/.test(text) && Number(text) <= 65_535
}
