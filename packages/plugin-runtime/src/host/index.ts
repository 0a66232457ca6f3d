/** What this machine can do, and what to do where it can't. @module */
export type { Check } from './check.ts'
export { type DoctorOptions, doctorChecks } from './doctor.ts'
export { type PortHolder, portHolders } from './port-holders.ts'
export { type ProbeOptions, probeHost } from './probe.ts'
