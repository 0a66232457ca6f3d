/**
 * Packs a folder as a layer: a deterministic tar archive with OCI whiteouts.
 * Source: OCI image specification, layer.md.
 * @module
 */
import { closeSync, fstatSync, readSync } from 'node:fs'
import { TarError } from './errors.ts'
import { type LayerDigests, LayerFile } from './layer-file.ts'
import { TAR_END, type TarHeader, tarPadding, writeTarHeader } from './tar-header.ts'
import { type Found, latin1, type Selection, select, walk } from './walk.ts'
import { OPAQUE_WHITEOUT, WHITEOUT_PREFIX } from './whiteout.ts'

export interface PackLayerOptions {
  /** The folder whose contents become the layer. */
  root: string
  /** The file to write; one that exists is overwritten. */
  out: string
  /** A folder of the layer under which everything lies; it gets the root's own permissions and owner. */
  prefix?: string
  /** Only these paths, relative to the root, with all below them and the folders that lead there. */
  entries?: readonly string[]
  /** Paths, relative to the root, that do not come along, with all below them. */
  leaveOut?: readonly string[]
  /** The root is an overlay's upper folder: character devices 0/0 become `.wh.<name>`. */
  mapWhiteouts?: boolean
  /** Folders, relative to the root, that hide what lower layers have in them (`trusted.overlay.opaque`). */
  opaque?: readonly string[]
  /** Extended attributes to write, by path relative to the root. */
  xattrs?: ReadonlyMap<string, ReadonlyMap<string, Uint8Array>>
  /** Everything belongs to this user and group. */
  owner?: { uid: number; gid: number }
  /** Seconds since 1970: what is younger gets this time (SOURCE_DATE_EPOCH). */
  mtimeClamp?: number
  /** Compress the file. */
  gzip?: boolean
  /** Bring the file to the disk before it counts as written: yes, unless told (for a file that is only passed on). */
  sync?: boolean
}

/** What packLayer wrote. */
export interface PackedLayer extends LayerDigests {
  /** Number of entries. */
  entries: number
}

/**
 * Writes a folder as a layer. Hard links stay links; sockets are left out; times are whole seconds. The same tree
 * gives the same archive. When it returns, the file is on the disk (see `sync`).
 * @throws TarError where a file shrinks meanwhile, or has a name that layers reserve; or the file system's error
 */
export async function packLayer(options: PackLayerOptions): Promise<PackedLayer> {
  const file = new LayerFile(options.out, options.gzip ?? false, options.sync ?? true)
  try {
    return await new Packer(options, file).pack()
  } finally {
    file.close()
  }
}

class Packer {
  readonly #options: PackLayerOptions
  readonly #file: LayerFile
  readonly #prefix: string
  readonly #opaque: Set<string>
  readonly #leftOut: Set<string>
  readonly #xattrs: Map<string, ReadonlyMap<string, Uint8Array>>
  readonly #links = new Map<string, string>()
  #entries = 0

  constructor(options: PackLayerOptions, file: LayerFile) {
    this.#options = options
    this.#file = file
    this.#prefix = clean(options.prefix ?? '')
    this.#opaque = new Set((options.opaque ?? []).map(clean))
    this.#leftOut = new Set((options.leaveOut ?? []).map(clean))
    this.#xattrs = new Map([...(options.xattrs ?? [])].map(([path, xattrs]) => [clean(path), xattrs]))
  }

  async pack(): Promise<PackedLayer> {
    const { root, entries } = this.#options
    const selection: Selection = entries ? select(entries) : true
    let inside: string | undefined
    for (const found of walk(root, selection, (each) => this.#nameOf(each))) {
      if (inside !== undefined && found.path.startsWith(inside)) continue
      if (this.#leftOut.has(found.path)) {
        inside = `${found.path}/`
        continue
      }
      await this.#add(found)
      if (this.#opaque.has(found.path)) await this.#whiteout(join(found.path, OPAQUE_WHITEOUT))
    }
    await this.#file.put(TAR_END)
    return { ...(await this.#file.finish()), entries: this.#entries }
  }

  // The last name of what the layer will hold, under which it is sorted.
  #nameOf({ path, stat }: Found): string {
    const name = path.slice(path.lastIndexOf('/') + 1)
    if (name.startsWith(WHITEOUT_PREFIX)) {
      throw new TarError(
        'path',
        `${text(path)} cannot be in a layer: names that begin with .wh. are whiteouts there`,
      )
    }
    return this.#isWhiteout(stat) ? WHITEOUT_PREFIX + name : name
  }

  #isWhiteout(stat: Found['stat']): boolean {
    return this.#options.mapWhiteouts === true && stat.isCharacterDevice() && stat.rdev === 0
  }

  async #add(found: Found): Promise<void> {
    const { path, stat } = found
    if (path === '' && this.#prefix === '') return
    if (this.#isWhiteout(stat)) {
      const slash = path.lastIndexOf('/') + 1
      return this.#whiteout(path.slice(0, slash) + WHITEOUT_PREFIX + path.slice(slash))
    }
    const type = typeOf(stat)
    if (type === undefined) return
    const seconds = Math.floor(stat.mtimeMs / 1000)
    const header: TarHeader = {
      path: this.#bytes(path),
      type,
      linkpath: Buffer.from(found.linkpath, 'latin1'),
      mode: stat.mode & 0o7777,
      uid: this.#options.owner?.uid ?? stat.uid,
      gid: this.#options.owner?.gid ?? stat.gid,
      mtime: Math.min(seconds, this.#options.mtimeClamp ?? seconds),
      xattrs: this.#xattrs.get(path),
    }
    if (type === '3' || type === '4') {
      header.devmajor = (stat.rdev >>> 8) & 0xfff
      header.devminor = (stat.rdev & 0xff) | ((stat.rdev >>> 12) & 0xfff00)
    }
    if (type !== '0') return this.#header(header)
    const identity = stat.nlink > 1 ? found.identity() : undefined
    const first = identity && this.#links.get(identity)
    if (first !== undefined) return this.#header({ ...header, type: '1', linkpath: this.#bytes(first) })
    const source = found.open()
    if (source === undefined) return
    if (identity) this.#links.set(identity, path)
    try {
      const { size } = fstatSync(source)
      await this.#header({ ...header, size })
      await this.#data(source, size, path)
    } finally {
      closeSync(source)
    }
  }

  async #header(header: TarHeader): Promise<void> {
    this.#entries++
    await this.#file.put(writeTarHeader(header))
  }

  async #data(source: number, size: number, path: string): Promise<void> {
    const file = this.#file
    for (let at = 0; at < size; ) {
      const { room } = file
      const n = readSync(source, room, 0, Math.min(room.length, size - at), at)
      if (n === 0) {
        throw new TarError(
          'truncated',
          `${text(path)} became shorter while it was being packed; pause what writes it`,
        )
      }
      at += n
      if (file.advance(n)) await file.flush()
    }
    await file.put(TAR_END.subarray(0, tarPadding(size)))
  }

  #whiteout(path: string): Promise<void> {
    return this.#header({ path: this.#bytes(path), mode: 0 })
  }

  #bytes(path: string): Buffer {
    return Buffer.from(join(this.#prefix, path), 'latin1')
  }
}

function typeOf(stat: Found['stat']): TarHeader['type'] | undefined {
  if (stat.isFile()) return '0'
  if (stat.isDirectory()) return '5'
  if (stat.isSymbolicLink()) return '2'
  if (stat.isCharacterDevice()) return '3'
  if (stat.isBlockDevice()) return '4'
  return stat.isFIFO() ? '6' : undefined
}

function clean(path: string): string {
  const names = latin1(path)
    .split('/')
    .filter((name) => name !== '' && name !== '.')
  if (names.includes('..')) throw new TypeError(`${JSON.stringify(path)} must not hold ".."`)
  return names.join('/')
}

function join(folder: string, path: string): string {
  return folder === '' || path === '' ? folder + path : `${folder}/${path}`
}

function text(path: string): string {
  return JSON.stringify(Buffer.from(path, 'latin1').toString())
}
