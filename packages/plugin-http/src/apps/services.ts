import type {
  Acme,
  AppConfig,
  AppLogs,
  Apps,
  BaseImage,
  Builders,
  Certificates,
  Checks,
  Deploys,
  Domains,
  Events,
  HttpServer,
  LedgerEntry,
  Processes,
  Releases,
  Router,
  Scheduler,
  Sites,
  SshKeys,
  Tokens,
} from '@kernel/contracts'
import type { PluginReport } from '@kernel/kernel'

/** What the product's API is served from. */
export interface ApiServices {
  apps: Apps
  config: AppConfig
  domains: Domains
  processes: Processes
  releases: Releases
  deploys: Deploys
  logs: AppLogs
  builders: Builders
  checks: Checks
  sites: Sites
  certificates: Certificates
  acme: Acme
  keys: SshKeys
  tokens: Tokens
  baseImage: BaseImage
  events: Events
  scheduler: Scheduler
  router: Pick<Router, 'listeners'>
  http: Pick<HttpServer, 'addresses'>
  /** What all plugins keep on disk. */
  ledger(): Promise<LedgerEntry[]>
  plugins(): PluginReport[]
  facts: { version: string; dataDir: string; startedAt: string }
}
