/** Bridges, namespaces, names and published ports of containers. @module */
export { createNetworks, type NetworksOptions, type NetworksPart } from './create-networks.ts'
export { DEFAULT_POOLS, type SubnetPool } from './subnets.ts'
