/** The composition root: the one list of first-party plugins, and how the settings reach them. @module */
import { fileURLToPath } from 'node:url'
import type { PluginEntry, PluginReport } from '@kernel/kernel'
import apps from '@kernel/plugin-apps'
import git from '@kernel/plugin-git'
import { api, dockerApi, edge, server } from '@kernel/plugin-http'
import runtime from '@kernel/plugin-runtime'
import sites from '@kernel/plugin-sites'
import { version } from '../version.ts'
import type { Settings } from './settings.ts'

/** The command that SSH sessions are run with: this very program. */
const cli = [process.execPath, fileURLToPath(new URL('../bin/kernel.mjs', import.meta.url))]
const webRoot = fileURLToPath(new URL('../../web/dist', import.meta.url))

/**
 * Every first-party plugin with its part of the settings; a section of `config` by plugin name comes on top.
 * @param plugins answers the state of all plugins, for the product's API
 */
export function firstParty(settings: Settings, plugins: () => PluginReport[]): PluginEntry[] {
  const { dataDir, hosts } = settings
  const socket = hosts.find((host) => host.startsWith('unix://'))
  const entries: PluginEntry[] = [
    { plugin: server, config: { dataDir, hosts, tls: settings.tls, webRoot, version } },
    { plugin: edge, config: { dataDir, listen: settings.http, listenTls: settings.https } },
    {
      plugin: runtime,
      config: {
        dataDir,
        driver: settings.driver,
        insecureRegistries: settings.insecureRegistries,
        stopWorkloads: settings.stopWorkloads,
      },
    },
    { plugin: git, config: { dataDir, listen: settings.ssh, cli, host: socket } },
    { plugin: apps, config: { dataDir, domains: settings.domains } },
    { plugin: sites, config: { dataDir } },
    { plugin: dockerApi, config: { dataDir, version } },
    { plugin: api, config: { dataDir, version, plugins } },
  ]
  return entries.map((entry) => ({
    ...entry,
    firstParty: true,
    config: { ...(entry.config as object), ...(settings.config[entry.plugin.name] as object | undefined) },
  }))
}
