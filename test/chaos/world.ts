/** What clients were told, read back through the product: two such worlds are compared word by word. @module */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fetchPage } from '../harness/visitor.ts'
import type { Lab } from './lab.ts'
import type { AppWorld, World } from './told.ts'

export const shownReleases = 10

/** Stands in a prediction for what only the answer tells. */
export const anything = '*'

export async function readWorld(lab: Lab): Promise<World> {
  const [apps, images, volumes, networks, containers, keys, tokens] = await Promise.all([
    readApps(lab),
    lab.engine<Array<{ Id: string; RepoTags: string[] | null }>>('/images/json?all=0'),
    lab.engine<{ Volumes: Volume[] | null }>('/volumes'),
    lab.engine<Array<{ Name: string; Id: string }>>('/networks'),
    lab.engine<Container[]>('/containers/json?all=1'),
    lab.api<Array<{ name: string; fingerprint: string }>>('GET', '/ssh-keys'),
    lab.api<Array<{ name: string }>>('GET', '/tokens'),
  ])
  return {
    apps,
    // Images of apps have no tag of a user's.
    images: Object.fromEntries(
      images.flatMap(({ Id, RepoTags }) => (RepoTags ?? []).map((tag) => [tag, Id])),
    ),
    volumes: Object.fromEntries(
      (volumes.Volumes ?? [])
        .filter(({ Labels }) => Labels?.['com.docker.volume.anonymous'] === undefined)
        .map(({ Name, Mountpoint }) => [Name, fileIn(Mountpoint)]),
    ),
    networks: Object.fromEntries(networks.map(({ Name, Id }) => [Name, Id])),
    containers: Object.fromEntries(
      containers
        .filter(({ Labels }) => !Labels?.['kernel.release'])
        .map(({ Names, Id, Image, State }) => [
          Names[0]?.slice(1) ?? '',
          { id: Id, image: Image, state: State },
        ]),
    ),
    keys: keys.map(({ name, fingerprint }) => `${name} ${fingerprint}`).sort(),
    tokens: tokens.map(({ name }) => name).sort(),
  }
}

interface Volume {
  Name: string
  Mountpoint: string
  Labels: Record<string, string> | null
}

interface Container {
  Id: string
  Names: string[]
  Image: string
  State: string
  Labels?: Record<string, string>
}

async function readApps(lab: Lab): Promise<World['apps']> {
  const rows = await lab.api<Array<{ name: string }>>('GET', '/apps')
  const read = async ({ name }: { name: string }): Promise<[string, AppWorld]> => {
    const path = `/apps/${name}`
    const [config, ps, domains, releases] = await Promise.all([
      lab.api<Record<string, string>>('GET', `${path}/config`),
      lab.api<{ state: string; scale: Record<string, number> }>('GET', `${path}/processes`),
      lab.api<{ domains: string[] }>('GET', `${path}/domains`),
      lab.api<Array<{ id: string; source: string; current: boolean }>>('GET', `${path}/releases`),
    ])
    const current = releases.find((release) => release.current)?.id ?? ''
    const page = current === '' ? '' : await pageOf(lab, name)
    return [
      name,
      {
        state: ps.state,
        config,
        scale: ps.scale,
        domains: domains.domains,
        releases: releases.slice(0, shownReleases).map(({ id, source }) => `${id} ${source}`),
        current,
        page,
      },
    ]
  }
  return Object.fromEntries(await Promise.all(rows.map(read)))
}

async function pageOf(lab: Lab, app: string): Promise<string> {
  try {
    const { status, body } = await fetchPage(lab.daemon.url(app))
    return status === 200 ? body.trim() : `status ${status}`
  } catch (error) {
    return (error as Error).message
  }
}

function fileIn(folder: string): string {
  try {
    return readFileSync(join(folder, 'file'), 'utf8').trim()
  } catch {
    return ''
  }
}

/** Paths at which a world is not as predicted: `apps.shop.page: "a", expected "b"`. */
export function discrepancies(expected: unknown, actual: unknown, path = ''): string[] {
  if (expected === anything && actual !== undefined) return []
  if (isTable(expected) && isTable(actual)) {
    const names = new Set([...Object.keys(expected), ...Object.keys(actual)])
    return [...names].flatMap((name) =>
      discrepancies(expected[name], actual[name], path === '' ? name : `${path}.${name}`),
    )
  }
  const [wanted, found] = [JSON.stringify(expected), JSON.stringify(actual)]
  return wanted === found ? [] : [`${path}: ${found}, expected ${wanted}`]
}

const isTable = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
