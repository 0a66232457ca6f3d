/** Volumes: named and anonymous ones, host folders, tmpfs. @module */
export { createVolumes, type VolumesOptions } from './volumes.ts'
