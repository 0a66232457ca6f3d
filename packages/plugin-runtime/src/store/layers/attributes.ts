/** The extended attributes of a folder's tree, as a layer carries them. @module */
import fs from 'node:fs'
import { isOpaque, lgetXattr, llistXattr } from '@kernel/sys'

export interface TreeAttributes {
  /** Folders that hide what lower layers have in them. */
  opaque: string[]
  xattrs: Map<string, Map<string, Buffer>>
}

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = fs.constants
const slash = Buffer.from('/')

/** Those that layers carry: overlayfs's own in a layer would reach into other layers. */
export function isLayerXattr(name: string): boolean {
  return name === 'security.capability' || (name.startsWith('user.') && !name.startsWith('user.overlay.'))
}

/**
 * Collects them by path. A container may be at work in the tree: each name is looked up in its folder's open
 * handle, so that a folder that is swapped for a link leads nowhere.
 */
export function treeAttributes(dir: string): TreeAttributes {
  const found: TreeAttributes = { opaque: [], xattrs: new Map() }
  const fd = fs.openSync(dir, O_RDONLY | O_DIRECTORY)
  try {
    collect(fd, Buffer.alloc(0), found)
  } finally {
    fs.closeSync(fd)
  }
  return found
}

function collect(folder: number, path: Buffer, found: TreeAttributes): void {
  const here = Buffer.from(`/proc/self/fd/${folder}/`)
  for (const entry of fs.readdirSync(here, { encoding: 'buffer', withFileTypes: true })) {
    const at = Buffer.concat([here, entry.name])
    const inner = path.length === 0 ? entry.name : Buffer.concat([path, slash, entry.name])
    try {
      note(at, inner.toString(), entry.isDirectory(), found)
      if (!entry.isDirectory()) continue
      const fd = fs.openSync(at, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
      try {
        collect(fd, inner, found)
      } finally {
        fs.closeSync(fd)
      }
    } catch (error) {
      // It went away, or became something else, meanwhile.
      if (!['ENOENT', 'ENOTDIR', 'ELOOP'].includes((error as { code?: string }).code ?? '')) throw error
    }
  }
}

function note(at: Buffer, path: string, isDirectory: boolean, found: TreeAttributes): void {
  if (isDirectory && isOpaque(at)) found.opaque.push(path)
  const names = llistXattr(at).filter(isLayerXattr)
  if (names.length === 0) return
  found.xattrs.set(path, new Map(names.map((name) => [name, lgetXattr(at, name) ?? Buffer.alloc(0)])))
}
