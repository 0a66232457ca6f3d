/** Containers through conmon and an OCI runtime. @module */
export { createContainers } from './containers.ts'
export { containersLedger } from './ledger.ts'
