import type { EndpointSettings, PortBinding } from '@kernel/contracts'
import { type Collection, collection, type Database } from '@kernel/state'

/** A network as it is recorded. */
export interface NetworkRecord {
  id: string
  name: string
  driver: 'bridge' | 'host' | 'null'
  /** RFC 3339. */
  created: string
  /** Made by us: `bridge`, `host`, `none`. */
  predefined: boolean
  internal: boolean
  attachable: boolean
  labels: Record<string, string>
  options: Record<string, string>
  ipamOptions: Record<string, string> | null
  /** Of bridge networks only, from here on. */
  link?: string
  subnet?: string
  gateway?: string
  ipRange?: string
}

/** A container's place on a network. */
export interface EndpointRecord {
  id: string
  networkId: string
  /** The pair of devices: the host's end, and the container's. */
  veth: string
  device: string
  address: string
  mac: string
  /** Names by which others on the network find it, in lower case. */
  names: string[]
  /** As it was asked for: aliases, links, options. */
  settings: EndpointSettings
}

/** A port of this machine that leads to a container. */
export interface PublishedPort {
  protocol: 'tcp' | 'udp'
  /** `0.0.0.0`: all addresses. */
  hostIp: string
  hostPort: number
  containerPort: number
}

/** All that is known of a running container's network. It is written before the first device is made. */
export interface SandboxRecord {
  containerId: string
  name: string
  hostname: string
  /** Undefined: the host's namespace, or that of `joined`. */
  netns?: string
  /** The container whose namespace it shares. */
  joined?: string
  /** The first one that leads out carries the default route and the published ports. */
  endpoints: EndpointRecord[]
  ports: PublishedPort[]
  /** What inspect shows: exposed ports that are not published are null. */
  portMap: Record<string, PortBinding[] | null>
  /** Name servers asked for; empty: those of the host. */
  dnsServers: string[]
  /** Whether 127.0.0.11 is served in its namespace. */
  dns: boolean
  /** Contents of /etc/hosts and /etc/resolv.conf at its start. */
  hosts: string
  resolvConf: string
}

export interface NetworkRecords {
  networks: Collection<NetworkRecord>
  sandboxes: Collection<SandboxRecord>
}

export function openRecords(db: Database): NetworkRecords {
  return {
    networks: collection<NetworkRecord>(db, 'networks'),
    sandboxes: collection<SandboxRecord>(db, 'sandboxes'),
  }
}
