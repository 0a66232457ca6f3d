/**
 * The product's own API (`/api/v1`): one table that the server implements whole (a test says so) and that
 * the CLI and the dashboard call by name. `{app}` and the like are path parameters.
 *
 * Answers: JSON, or NDJSON (`lines`: one JSON object a line, flushed as it happens; the last line of an
 * operation is `{"result": ...}` or `{"error": {"kind","message","hint"}}`), or a hijacked stream.
 * Errors: `{"kind","message","hint"}` with the kind's status.
 * @module
 */
export type ApiAnswer = 'json' | 'lines' | 'stream' | 'empty'
export interface ApiRoute {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  path: string
  answer: ApiAnswer
  summary: string
}
const route = (method: ApiRoute['method'], path: string, answer: ApiAnswer, summary: string): ApiRoute => ({
  method,
  path,
  answer,
  summary,
})

export const apiRoutes = {
  systemInfo: route('GET', '/system', 'json', 'Version, driver, addresses, global domains, plugins'),
  systemPlugins: route('GET', '/system/plugins', 'json', 'Plugins with their state'),
  systemLedger: route('GET', '/system/ledger', 'json', 'Disk ledger: who pins which bytes'),
  systemEvents: route('GET', '/system/events', 'lines', 'Events, live; ?since='),
  baseBuild: route('POST', '/system/base-image', 'lines', 'Build the base image from this machine'),
  appsList: route('GET', '/apps', 'json', 'All apps'),
  appsCreate: route('POST', '/apps', 'json', 'Create an app: {name}'),
  appsReport: route('GET', '/apps/{app}', 'json', 'One app in full'),
  appsDestroy: route('DELETE', '/apps/{app}', 'empty', 'Destroy an app and all it keeps'),
  appsRename: route('POST', '/apps/{app}/rename', 'empty', 'Rename: {name}'),
  appsSet: route('PUT', '/apps/{app}/settings/{key}', 'empty', 'Set a property: {value}'),
  appsLock: route('POST', '/apps/{app}/lock', 'empty', 'Lock against deploys'),
  appsUnlock: route('DELETE', '/apps/{app}/lock', 'empty', 'Unlock'),
  configShow: route('GET', '/apps/{app}/config', 'json', 'Environment of an app'),
  configUpdate: route('PATCH', '/apps/{app}/config', 'lines', 'Change: {set, unset, restart}'),
  domainsReport: route('GET', '/apps/{app}/domains', 'json', 'Domains and URLs'),
  domainsAdd: route('POST', '/apps/{app}/domains', 'empty', 'Add: {domains}'),
  domainsSet: route('PUT', '/apps/{app}/domains', 'empty', 'Replace: {domains}; empty resets'),
  domainsRemove: route('DELETE', '/apps/{app}/domains', 'empty', 'Remove: ?domain= repeated'),
  domainsGlobal: route('GET', '/domains', 'json', 'Global domains'),
  domainsSetGlobal: route('PUT', '/domains', 'empty', 'Set global domains: {domains}'),
  psReport: route('GET', '/apps/{app}/processes', 'json', 'Processes of an app'),
  psScale: route('PATCH', '/apps/{app}/scale', 'lines', 'Scale: {counts}'),
  psRestart: route('POST', '/apps/{app}/restart', 'lines', 'Restart: {type?}'),
  psStop: route('POST', '/apps/{app}/stop', 'lines', 'Stop'),
  psStart: route('POST', '/apps/{app}/start', 'lines', 'Start'),
  psRebuild: route('POST', '/apps/{app}/rebuild', 'lines', 'Rebuild: {noCache?}'),
  run: route(
    'POST',
    '/apps/{app}/run',
    'stream',
    'One-off command; query: command (JSON array), tty, stdin, rows, columns, env (JSON)',
  ),
  enter: route(
    'POST',
    '/apps/{app}/enter',
    'stream',
    'Command in a running process; query: process, command (JSON array), tty, stdin, rows, columns',
  ),
  releasesList: route('GET', '/apps/{app}/releases', 'json', 'Releases, newest first'),
  releasesInspect: route('GET', '/apps/{app}/releases/{release}', 'json', 'One release'),
  releasesRollback: route('POST', '/apps/{app}/rollback', 'lines', 'Roll back: {release?, frozen?}'),
  deploysRecent: route('GET', '/deploys', 'json', 'Deploys of all apps, newest first; ?limit='),
  deploysList: route('GET', '/apps/{app}/deploys', 'json', 'Deploys, newest first; ?limit='),
  deploysPrune: route('DELETE', '/apps/{app}/deploys', 'json', 'Remove ended deploys; ?keep='),
  deploysInspect: route('GET', '/deploys/{deploy}', 'json', 'One deploy with its spans'),
  deploysOutput: route('GET', '/deploys/{deploy}/output', 'lines', 'Output of a deploy; ?follow='),
  deploysCancel: route('DELETE', '/deploys/{deploy}', 'empty', 'Cancel a deploy; ?by='),
  logs: route('GET', '/apps/{app}/logs', 'lines', 'Logs; ?process= ?tail= ?follow= ?since='),
  buildersReport: route('GET', '/apps/{app}/builder', 'json', 'Builder of an app'),
  buildersSet: route('PUT', '/apps/{app}/builder/{key}', 'empty', 'Set a builder property: {value}'),
  checksReport: route('GET', '/apps/{app}/checks', 'json', 'Check settings'),
  checksSet: route('PUT', '/apps/{app}/checks/{key}', 'empty', 'Set a check property: {value}'),
  checksEnable: route('POST', '/apps/{app}/checks/enable', 'empty', 'Switch checks on'),
  checksDisable: route('POST', '/apps/{app}/checks/disable', 'empty', 'Switch checks off'),
  checksRun: route('POST', '/apps/{app}/checks/run', 'lines', 'Check what runs now'),
  siteReport: route('GET', '/apps/{app}/site', 'json', 'What the edge does for an app beside forwarding'),
  siteSet: route('PUT', '/apps/{app}/site/{key}', 'empty', 'Set a property of the edge: {value}'),
  maintenanceEnable: route('POST', '/apps/{app}/maintenance', 'empty', 'Show the maintenance page'),
  maintenanceDisable: route('DELETE', '/apps/{app}/maintenance', 'empty', 'Let visitors in again'),
  pagesReport: route('GET', '/apps/{app}/pages', 'json', 'Pages of its own; `global` for all apps'),
  pagesSet: route('PUT', '/apps/{app}/pages/{page}', 'empty', 'Set a page: {html}'),
  pagesClear: route('DELETE', '/apps/{app}/pages/{page}', 'empty', 'Back to the built-in page'),
  redirectsSet: route('PUT', '/apps/{app}/redirects', 'empty', 'Set one: {host, path, to, status, keepPath}'),
  redirectsRemove: route('DELETE', '/apps/{app}/redirects', 'empty', 'Remove: ?from='),
  authEnable: route('POST', '/apps/{app}/auth', 'empty', 'Ask visitors for a password'),
  authDisable: route('DELETE', '/apps/{app}/auth', 'empty', 'Ask no more'),
  authSetUser: route('PUT', '/apps/{app}/auth/users/{user}', 'empty', 'Add a user or a password: {password}'),
  authRemoveUser: route('DELETE', '/apps/{app}/auth/users/{user}', 'empty', 'Remove a user'),
  certsList: route('GET', '/certificates', 'json', 'Certificates of all apps'),
  certsReport: route('GET', '/apps/{app}/certificate', 'json', 'Certificate of an app, without its key'),
  certsSet: route('PUT', '/apps/{app}/certificate', 'json', 'Add or replace: {certificate, key} in PEM'),
  certsRemove: route('DELETE', '/apps/{app}/certificate', 'empty', 'Remove it'),
  certsGenerate: route('POST', '/apps/{app}/certificate', 'json', 'Make a self-signed one: {domains}'),
  acmeList: route('GET', '/acme', 'json', 'Certificates by ACME, and how their renewal stands'),
  acmeEnable: route('POST', '/apps/{app}/acme', 'lines', 'Get a certificate and keep it renewed'),
  acmeDisable: route('DELETE', '/apps/{app}/acme', 'empty', 'Renew no more'),
  acmeSet: route('PUT', '/apps/{app}/acme/{key}', 'empty', 'Set: {value}; `global` for all apps'),
  acmeRenew: route('POST', '/acme/renew', 'lines', 'Renew what is due: {app?}'),
  acmeRevoke: route('POST', '/apps/{app}/acme/revoke', 'empty', 'Revoke and remove its certificate'),
  sshKeysList: route('GET', '/ssh-keys', 'json', 'SSH keys'),
  sshKeysAdd: route('POST', '/ssh-keys', 'json', 'Add: {name, publicKey}'),
  sshKeysRemove: route('DELETE', '/ssh-keys/{key}', 'empty', 'Remove by name or fingerprint'),
  tokensList: route('GET', '/tokens', 'json', 'Tokens (never their secrets)'),
  tokensCreate: route('POST', '/tokens', 'json', 'Create: {name}; the secret is shown once'),
  tokensRevoke: route('DELETE', '/tokens/{token}', 'empty', 'Revoke'),
} as const satisfies Record<string, ApiRoute>
export type ApiRouteName = keyof typeof apiRoutes

/** `GET /system`. */
export interface SystemInfo {
  version: string
  driver: 'container' | 'process'
  isolated: boolean
  warning?: string
  dataDir: string
  api: string[]
  edge: Array<{ protocol: 'http' | 'https'; host: string; port: number }>
  ssh?: { host: string; port: number; user: string; hostKeyFingerprint: string }
  domains: string[]
  startedAt: string
}

/**
 * Frames of the hijacked streams `run` and `enter` (and of plugin-git's `/git/ssh`): one byte type, four
 * bytes length (big endian), payload. Types both ways: 0 stdin (empty payload: EOF), 1 stdout, 2 stderr,
 * 3 exit (JSON `{exitCode, error?}`, the last frame), 4 resize (JSON `{rows, columns}`).
 */
export const frameType = { stdin: 0, stdout: 1, stderr: 2, exit: 3, resize: 4 } as const
