/** What an overlay's upper folder changes of the layers below it, as `docker diff` shows it. @module */
import fs from 'node:fs'
import type { ContainerChange } from '@kernel/contracts'
import { isOpaque, isWhiteout } from '@kernel/sys'

type Kind = ContainerChange['Kind']
const MODIFIED: Kind = 0
const ADDED: Kind = 1
const DELETED: Kind = 2

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = fs.constants

/**
 * A container may be at work in the upper folder: each of its names is looked up in its folder's open handle, so
 * that a folder that is swapped for a link leads nowhere.
 * @param job.lower folders of the layers, the topmost first
 * @returns sorted by path; the folders that lead to a change are there as modified
 */
export function changes(job: { upper: string; lower: string[] }): ContainerChange[] {
  const found = new Map<string, Kind>()
  const handle = fs.openSync(job.upper, O_RDONLY | O_DIRECTORY)
  try {
    collect(handle, '', job.lower, found)
  } finally {
    fs.closeSync(handle)
  }
  for (const path of [...found.keys()])
    for (let at = parent(path); at !== ''; at = parent(at)) if (!found.has(at)) found.set(at, MODIFIED)
  return [...found].map(([Path, Kind]) => ({ Path, Kind })).sort((a, b) => (a.Path < b.Path ? -1 : 1))
}

const parent = (path: string) => path.slice(0, path.lastIndexOf('/'))

function collect(handle: number, folder: string, lower: string[], found: Map<string, Kind>): void {
  const here = `/proc/self/fd/${handle}`
  const hides = folder !== '' && isOpaque(`${here}/.`)
  const names = fs.readdirSync(here)
  for (const name of names) {
    const path = `${folder}/${name}`
    const stat = unlessGone(() => fs.lstatSync(`${here}/${name}`))
    if (!stat) continue
    const before = below(lower, path)
    if (isWhiteout(stat)) {
      if (before) found.set(path, DELETED)
      continue
    }
    if (!before) found.set(path, ADDED)
    else if (!(stat.isDirectory() && before.isDirectory() && isSameFolder(stat, before)))
      found.set(path, MODIFIED)
    if (stat.isDirectory()) inside(`${here}/${name}`, (inner) => collect(inner, path, lower, found))
  }
  if (!hides) return
  // What a folder that was made anew no longer has.
  const gone = new Set(lower.flatMap((layer) => unlessGone(() => fs.readdirSync(`${layer}${folder}`)) ?? []))
  for (const name of names) gone.delete(name)
  for (const name of gone) if (below(lower, `${folder}/${name}`)) found.set(`${folder}/${name}`, DELETED)
}

function inside(path: string, work: (handle: number) => void): void {
  const handle = unlessGone(() => fs.openSync(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW))
  if (handle === undefined) return
  try {
    work(handle)
  } finally {
    fs.closeSync(handle)
  }
}

/** A folder is copied up for what is done in it; only its own attributes say whether it was changed itself. */
function isSameFolder(a: fs.Stats, b: fs.Stats): boolean {
  return a.mode === b.mode && a.uid === b.uid && a.gid === b.gid && a.mtimeMs === b.mtimeMs
}

/** What the layers have at a path, seen from above; undefined where nothing is, or a layer deleted it. */
function below(lower: string[], path: string): fs.Stats | undefined {
  for (const layer of lower) {
    const { stat, ends } = inLayer(layer, path)
    if (ends) return stat
  }
  return undefined
}

/** `ends`: the layer has the path, or hides what those below it have there. */
function inLayer(layer: string, path: string): { stat?: fs.Stats; ends: boolean } {
  const parts = path.split('/').slice(1)
  let at = layer
  let hidden = false
  for (const [depth, part] of parts.entries()) {
    if (depth > 0) hidden ||= isOpaque(at)
    at += `/${part}`
    const stat = unlessGone(() => fs.lstatSync(at))
    if (!stat) return { ends: hidden }
    if (isWhiteout(stat)) return { ends: true }
    if (depth === parts.length - 1) return { stat, ends: true }
    if (!stat.isDirectory()) return { ends: true }
  }
  return { ends: hidden }
}

function unlessGone<T>(call: () => T): T | undefined {
  try {
    return call()
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes((error as { code?: string }).code ?? '')) return undefined
    throw error
  }
}
