/** Volumes: named and anonymous ones, host folders, tmpfs. @module */
export { createVolumes } from './volumes.ts'
