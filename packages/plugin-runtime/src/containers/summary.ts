/** A line of `docker ps`. @module */
import type { ContainerSummary, EndpointSettings, PortBinding } from '@kernel/contracts'
import type { ContainerRecord } from './record.ts'
import { isRunning } from './record.ts'
import { statusText } from './status-text.ts'

/** @param imageName what the image is called now: as it was asked for, or its id once that means another image */
export function summaryOf(record: ContainerRecord, imageName: string, at: number): ContainerSummary {
  return {
    Id: record.id,
    Names: [`/${record.name}`],
    Image: imageName,
    ImageID: record.image,
    Command: commandText([record.path, ...record.args]),
    Created: Math.floor(Date.parse(record.created) / 1000),
    Ports: isRunning(record) ? portsOf(record) : [],
    Labels: record.config.Labels ?? {},
    State: record.status,
    Status: statusText(record, at),
    HostConfig: { NetworkMode: record.hostConfig.NetworkMode ?? 'default' },
    NetworkSettings: { Networks: networksOf(record) },
    Mounts: record.mounts,
  }
}

/** Words with blanks are quoted, so that it can be read as a shell line. */
function commandText(argv: string[]): string {
  return argv.map((word) => (/[\s'"]/.test(word) ? `'${word.replaceAll("'", "'\\''")}'` : word)).join(' ')
}

/** Exposed and published ports, sorted. */
function portsOf({ sandbox, config }: ContainerRecord): ContainerSummary['Ports'] {
  const ports: Record<string, PortBinding[] | null> = {}
  for (const port of Object.keys(config.ExposedPorts ?? {})) ports[port] = null
  Object.assign(ports, sandbox?.ports)
  return Object.entries(ports)
    .flatMap(([key, bindings]) => {
      const [number = '', type = 'tcp'] = key.split('/')
      const exposed = { PrivatePort: Number(number), Type: type }
      if (!bindings || bindings.length === 0) return [exposed]
      return bindings.map(({ HostIp, HostPort }) => ({
        IP: HostIp || '0.0.0.0',
        ...exposed,
        PublicPort: Number(HostPort),
      }))
    })
    .toSorted(
      (a, b) =>
        a.PrivatePort - b.PrivatePort ||
        ('PublicPort' in a ? 1 : 0) - ('PublicPort' in b ? 1 : 0) ||
        a.Type.localeCompare(b.Type),
    )
}

/** The networks of a container; before its first start, the one that its mode names. */
export function networksOf(record: ContainerRecord): ContainerSummary['NetworkSettings']['Networks'] {
  if (Object.keys(record.endpoints).length > 0)
    return Object.fromEntries(
      Object.entries(record.endpoints).map(([name, endpoint]) => [name, { ...UNCONNECTED, ...endpoint }]),
    )
  const mode = record.hostConfig.NetworkMode ?? 'default'
  if (mode.startsWith('container:')) return {}
  return { [mode === 'default' ? 'bridge' : mode]: { ...UNCONNECTED } }
}

/** An endpoint before there is anything to say of it. */
const UNCONNECTED: EndpointSettings = {
  IPAMConfig: null,
  Links: null,
  Aliases: null,
  MacAddress: '',
  DriverOpts: null,
  NetworkID: '',
  EndpointID: '',
  Gateway: '',
  IPAddress: '',
  IPPrefixLen: 0,
  IPv6Gateway: '',
  GlobalIPv6Address: '',
  GlobalIPv6PrefixLen: 0,
  DNSNames: null,
}
