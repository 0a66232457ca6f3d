/** Containers through conmon and an OCI runtime. @module */
export { type ContainersService, createContainers } from './containers.ts'
export type { ContainersOptions } from './engine.ts'
export { containersLedger } from './ledger.ts'
