/** What this machine can do, and what to do where it can't. @module */
export { type ProbeOptions, probeHost } from './probe.ts'
