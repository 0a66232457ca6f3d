/** What is on the machine and in the data dir, read past the product, against what the product knows. @module */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { findProgram } from '../harness/host.ts'
import { instanceOf } from '../harness/leftovers.ts'
import { run } from '../harness/run.ts'
import type { Lab } from './lab.ts'

interface Inspect {
  Id: string
  Name: string
  State: { Running: boolean; Pid: number; StartedAt: string }
  NetworkSettings: {
    Networks: Record<string, { IPAddress: string }>
    Ports: Record<string, unknown[] | null>
  }
  Mounts: Array<{ Type: string; Name?: string }>
}

interface LedgerEntry {
  kind: string
  id: string
  pinnedBy: string[]
}

/** A running container's process: the same words, the same process. */
export async function runningProcesses(lab: Lab): Promise<Map<string, string>> {
  const rows = await lab.engine<Array<{ Id: string }>>('/containers/json')
  const found = await Promise.all(rows.map(({ Id }) => lab.engine<Inspect>(`/containers/${Id}/json`)))
  return new Map(
    found.map(({ Id, Name, State }) => [
      Name.slice(1),
      `${Id.slice(0, 12)} pid ${State.Pid} of ${State.StartedAt}`,
    ]),
  )
}

/** Everything that no record has, or that a record has and is not there. Empty where all is in order. */
export async function strays(lab: Lab): Promise<string[]> {
  const { dataDir } = lab.daemon
  const [rows, volumes, networks, ledger, apps] = await Promise.all([
    lab.engine<Array<{ Id: string }>>('/containers/json?all=1'),
    lab.engine<{ Volumes: Array<{ Name: string; Labels: Record<string, string> | null }> | null }>(
      '/volumes',
    ),
    lab.engine<Array<{ Name: string; Id: string; Driver: string }>>('/networks'),
    lab.api<LedgerEntry[]>('GET', '/system/ledger'),
    lab.api<Array<{ name: string }>>('GET', '/apps'),
  ])
  const containers = await Promise.all(rows.map(({ Id }) => lab.engine<Inspect>(`/containers/${Id}/json`)))
  const deploys = await Promise.all(
    apps.map(({ name }) => lab.api<Array<{ id: string; status: string }>>('GET', `/apps/${name}/deploys`)),
  )
  const running = containers.filter(({ State }) => State.Running)
  const ids = (list: Inspect[]) => list.map(({ Id }) => Id)
  const ofKind = (kind: string) => ledger.filter((entry) => entry.kind === kind).map(({ id }) => id)
  const hex = (digests: string[]) => digests.map((digest) => digest.slice('sha256:'.length))
  const used = new Set(containers.flatMap(({ Mounts }) => Mounts.map(({ Name }) => Name)))
  const named = (folder: string) => namesIn(join(dataDir, folder))
  const runtime = ['crun', 'runc']
    .flatMap((kind) => named(`run/${kind}`))
    .filter((name) => /^[0-9a-f]{64}$/.test(name))
  const machine = await readMachine(dataDir)
  return [
    ...ledger
      .filter(({ pinnedBy }) => pinnedBy.length === 0)
      .map(({ kind, id }) => `garbage in the ledger: ${kind} ${id}`),
    ...(volumes.Volumes ?? [])
      .filter(({ Name, Labels }) => Labels?.['com.docker.volume.anonymous'] !== undefined && !used.has(Name))
      .map(({ Name }) => `anonymous volume of no container: ${Name}`),
    ...deploys
      .flat()
      .filter(({ status }) => /running|waiting/.test(status))
      .map(({ id, status }) => `deploy ${id} is ${status}`),
    ...compare('containers/', ids(containers), named('containers')),
    ...compare('snapshots/', ids(containers), named('snapshots')),
    ...compare(
      'layers/',
      hex(ofKind('layer')),
      named('layers').filter((name) => name !== 'empty'),
    ),
    ...compare('content/sha256/', hex(ofKind('blob')), named('content/sha256')),
    ...compare('content/partial/', hex(ofKind('partial')), named('content/partial')),
    ...compare(
      'volumes/',
      (volumes.Volumes ?? []).map(({ Name }) => Name),
      named('volumes'),
    ),
    ...compare(
      'apps/deploys/',
      deploys.flat().map(({ id }) => id),
      named('apps/deploys').map(stem),
      'extra',
    ),
    ...compare(
      'git/',
      apps.map(({ name }) => `${name}.git`),
      named('git'),
      'extra',
    ),
    ...compare('run/exits/', ids(containers), named('run/exits'), 'extra'),
    ...compare('state of the OCI runtime', ids(running), runtime),
    ...['tmp', 'content/tmp'].flatMap((folder) =>
      named(folder).map((name) => `temporary file ${folder}/${name}`),
    ),
    ...named('git').flatMap((name) => gitRemains(join(dataDir, 'git', name))),
    ...halfFiles(dataDir),
    ...compare('overlay mounts', ids(running), machine.overlays),
    ...machine.otherMounts.map((mount) => `mount ${mount}`),
    ...compare('conmon', ids(running), machine.conmons),
    ...machine.otherProcesses
      .filter((line) => Number.parseInt(line, 10) !== lab.daemon.process?.pid)
      .map((line) => `process ${line}`),
    ...compare('cgroups', ids(running), machine.cgroups),
    ...countOf('network namespaces', running.filter(hasNetns).length, machine.namespaces),
    ...countOf(
      'veth devices',
      running.reduce((sum, one) => sum + addressesOf(one), 0),
      machine.veths,
    ),
    ...countOf('bridges', networks.filter(({ Driver }) => Driver === 'bridge').length, machine.bridges),
    ...countOf(
      'published ports in nft',
      running.reduce((sum, one) => sum + portsOf(one), 0),
      machine.ports,
    ),
  ]
}

const addressesOf = ({ NetworkSettings }: Inspect) =>
  Object.values(NetworkSettings.Networks).filter(({ IPAddress }) => IPAddress !== '').length
const hasNetns = (container: Inspect) => addressesOf(container) > 0
const portsOf = ({ NetworkSettings }: Inspect) =>
  Object.values(NetworkSettings.Ports).reduce((sum, bindings) => sum + (bindings?.length ?? 0), 0)
const stem = (name: string) => name.split('.')[0] ?? name

function namesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : []
}

/** `extra`: what is missing may be made later. */
function compare(what: string, known: string[], found: string[], which: 'both' | 'extra' = 'both'): string[] {
  return [
    ...found.filter((name) => !known.includes(name)).map((name) => `${what}: ${name} is of nobody`),
    ...(which === 'both'
      ? known.filter((name) => !found.includes(name)).map((name) => `${what}: ${name} is missing`)
      : []),
  ]
}

const countOf = (what: string, known: number, found: string[]) =>
  known === found.length ? [] : [`${what}: ${found.length} for ${known} that are known (${found.join(', ')})`]

/** Locks, quarantines and half packs of a repository. */
function gitRemains(repository: string): string[] {
  return readdirSync(repository, { recursive: true, encoding: 'utf8' })
    .filter((path) => /\.lock$|incoming-|(^|\/)\.?tmp[_-]/.test(path))
    .map((path) => `in ${repository}: ${path}`)
}

/** Files that are written beside and then renamed. */
function halfFiles(dataDir: string): string[] {
  const folders = ['.', 'db', 'apps', 'apps/logs', 'apps/deploys', 'volumes', 'containers', 'ssh', 'layers']
  return folders.flatMap((folder) =>
    namesIn(join(dataDir, folder))
      .filter((name) => /^\..*\.tmp$|^\.(new|old)-/.test(name))
      .map((name) => `half a file: ${folder}/${name}`),
  )
}

async function readMachine(dataDir: string) {
  const instance = instanceOf(dataDir)
  const runDir = `/run/kernel-${instance}`
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((point) => point.startsWith(`${dataDir}/`))
  const overlay = new RegExp(`^${dataDir}/snapshots/([^/]+)/root$`)
  const processes = processesWith(dataDir, runDir)
  const conmon = /^\d+ \S*conmon .* -c ([0-9a-f]{64}) /
  const links = readdirSync('/sys/class/net')
  const tag = instance.slice(0, 6)
  return {
    overlays: mounts.flatMap((point) => overlay.exec(point)?.[1] ?? []),
    otherMounts: mounts.filter((point) => !overlay.test(point)),
    conmons: processes.flatMap((line) => conmon.exec(line)?.[1] ?? []),
    otherProcesses: processes.filter((line) => !conmon.test(line)),
    cgroups: cgroupsOf(`kernel-${instance}`),
    namespaces: namesIn(join(runDir, 'netns')),
    veths: links.filter((name) => name.startsWith(`kv${tag}`)),
    bridges: links.filter((name) => name === `kbr-${tag}` || name.startsWith(`kb${tag}`)),
    ports: await publishedPorts(`kernel_${instance}`),
  }
}

/** Names of containers' groups below the daemon's own, in every hierarchy. */
function cgroupsOf(parent: string): string[] {
  const roots = ['', ...readdirSync('/sys/fs/cgroup')].map((name) => join('/sys/fs/cgroup', name, parent))
  const names = roots
    .filter((path) => existsSync(path))
    .flatMap((path) =>
      readdirSync(path, { withFileTypes: true }).flatMap((entry) =>
        entry.isDirectory() ? [entry.name] : [],
      ),
    )
  return [...new Set(names.map((name) => /[0-9a-f]{64}/.exec(name)?.[0] ?? name))]
}

/** `pid command line` of all that names a folder of the daemon, or works in one. */
function processesWith(...folders: string[]): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
        return folders.some((folder) => line.includes(folder)) ? [`${pid} ${line}`] : []
      } catch {
        return []
      }
    })
}

async function publishedPorts(table: string): Promise<string[]> {
  const { stdout } = await run(findProgram('nft') ?? 'nft', ['-j', 'list', 'table', 'ip', table])
  const { nftables } = JSON.parse(stdout) as { nftables: Array<{ map?: { name: string; elem?: unknown[] } }> }
  return nftables
    .flatMap(({ map }) => (map && /^ports/.test(map.name) ? (map.elem ?? []) : []))
    .map((elem) => JSON.stringify(elem))
}
