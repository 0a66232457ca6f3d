/** Git: an SSH server, pushes over SSH and HTTP, and the repositories behind the apps. @module */
export { authorizedKeysLine, type ForcedCommand } from './access/authorized-keys.ts'
export { default } from './plugin.ts'
