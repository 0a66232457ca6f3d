/** Networks, in the Docker Engine API's shapes (v1.51: Network, EndpointSettings). @module */
import { defineService } from '@kernel/kernel'

export interface EndpointSettings {
  IPAMConfig?: { IPv4Address?: string; IPv6Address?: string } | null
  Links?: string[] | null
  Aliases?: string[] | null
  DNSNames?: string[] | null
  MacAddress?: string
  DriverOpts?: Record<string, string> | null
  NetworkID?: string
  EndpointID?: string
  Gateway?: string
  IPAddress?: string
  IPPrefixLen?: number
  IPv6Gateway?: string
  GlobalIPv6Address?: string
  GlobalIPv6PrefixLen?: number
}

export interface NetworkCreate {
  Name: string
  Driver?: string
  Internal?: boolean
  Attachable?: boolean
  EnableIPv6?: boolean
  IPAM?: {
    Driver?: string
    Config?: Array<{ Subnet?: string; Gateway?: string; IPRange?: string }>
    Options?: Record<string, string> | null
  }
  Options?: Record<string, string>
  Labels?: Record<string, string>
}

export interface NetworkInspect extends Required<Omit<NetworkCreate, 'EnableIPv6' | 'IPAM'>> {
  Id: string
  Created: string
  Scope: 'local'
  EnableIPv4: boolean
  EnableIPv6: boolean
  IPAM: {
    Driver: string
    Options: Record<string, string> | null
    Config: Array<{ Subnet?: string; Gateway?: string }>
  }
  Ingress: boolean
  Containers: Record<
    string,
    { Name: string; EndpointID: string; MacAddress: string; IPv4Address: string; IPv6Address: string }
  >
}

export interface Networks {
  create(body: NetworkCreate): Promise<{ id: string; warning: string }>
  list(options?: { filters?: Record<string, string[]> }): Promise<NetworkInspect[]>
  inspect(ref: string): Promise<NetworkInspect>
  /** @throws denied for predefined ones and for those with active endpoints */
  remove(ref: string): Promise<void>
  connect(ref: string, container: string, endpoint?: EndpointSettings): Promise<void>
  disconnect(ref: string, container: string, options?: { force?: boolean }): Promise<void>
  prune(options?: { filters?: Record<string, string[]> }): Promise<{ deleted: string[] }>
}
export const Networks = defineService<Networks>('networks')
