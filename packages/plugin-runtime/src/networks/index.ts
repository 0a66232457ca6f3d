/** Bridges, namespaces, names and published ports of containers. @module */
export { createNetworks } from './create-networks.ts'
export type { SubnetPool } from './subnets.ts'
