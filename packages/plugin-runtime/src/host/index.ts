/** What this machine can do, and what to do where it can't. @module */
export { doctorChecks } from './doctor.ts'
export { probeHost } from './probe.ts'
export { rememberedHost } from './remembered.ts'
