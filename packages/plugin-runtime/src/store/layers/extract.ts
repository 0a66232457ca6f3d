/**
 * Writes the entries of a layer's tar into a folder, in the form that overlayfs stacks: what the tar marks as
 * deleted becomes a character device 0/0, an opaque folder gets its attribute.
 * Source: OCI image-spec, layer.md; kernel Documentation/filesystems/overlayfs.rst, "whiteouts and opaque
 * directories".
 * @module
 */
import fs from 'node:fs'
import { invalid } from '@kernel/contracts'
import { OPAQUE_WHITEOUT, type TarEntries, WHITEOUT_PREFIX } from '@kernel/core-wasm'
import {
  lsetXattr,
  makeWhiteout,
  mkdirAllInRoot,
  mkfifo,
  mknod,
  O_PATH,
  openInRoot,
  openRoot,
  removeInRoot,
  S_IF,
  setOpaque,
} from '@kernel/sys'
import { isLayerXattr } from './attributes.ts'
import { entriesOf, type FileData, type TarEntry, type WindowedFile } from './tar-file.ts'

export interface ExtractLimits {
  /** Entries of one layer. */
  entries: number
  /** Bytes of one layer, unpacked. */
  bytes: number
}

/** Far above what real images have, far below what fills a disk with inodes unseen. */
export const defaultLimits: ExtractLimits = { entries: 2_000_000, bytes: 64 * 2 ** 30 }

/** How a tar is laid over a tree that is there already: by `docker cp`'s rules, not by those of layers. */
export interface MergeRules {
  limits?: ExtractLimits
  /** The folder in the root at which the tar's paths begin; clean, as latin1. */
  into: string
  /** In place of the owners that the tar names. */
  owner?: { uid: number; gid: number }
  /** Refuses to put a folder in place of something else, and the other way round. */
  keepKinds?: boolean
}

export interface Extracted {
  /** Bytes in regular files. */
  size: number
  /** Bytes on the disk, files and folders rounded up to blocks. */
  disk: number
  /** Files whose data is as the tar has it, in the tar's order. */
  files: FileData[]
}

const DISK_BLOCK = 4096
const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW, O_DIRECTORY, O_RDONLY } = fs.constants

/**
 * Extracts the tar in `file`, whose entries are `rows`, into `target`, which must be empty and nobody else's. Nothing is ever written
 * outside: parents are resolved with `target` as the root.
 * @throws invalid where an entry leads out, or limits are passed
 */
export function extractLayer(
  file: WindowedFile,
  rows: TarEntries,
  target: string,
  limits: ExtractLimits = defaultLimits,
): Extracted {
  return extract(new Extractor(file, openRoot(target), limits), rows)
}

/**
 * Extracts a tar over what is in `root`, a descriptor that stays the caller's: links in its tree are followed
 * inside it only, even where a container changes them meanwhile. Names of whiteouts mean nothing here.
 * @throws invalid where an entry leads out, limits are passed, or `keepKinds` is broken
 */
export function mergeTar(file: WindowedFile, rows: TarEntries, root: number, rules: MergeRules): void {
  // A descriptor of its own, since the extractor closes it.
  extract(new Extractor(file, openInRoot(root, '.', O_PATH | O_DIRECTORY), rules.limits, rules), rows)
}

function extract(extractor: Extractor, rows: TarEntries): Extracted {
  try {
    for (const entry of entriesOf(rows)) extractor.add(entry)
    return extractor.finish()
  } finally {
    extractor.close()
  }
}

class Extractor {
  private readonly file: WindowedFile
  private readonly limits: ExtractLimits
  private readonly root: number
  private readonly merge: MergeRules | undefined
  /** The folder that the last entry went into: neighbours in a tar mostly share it. */
  private parent: { path: string; fd: number } | undefined
  private readonly whiteouts: string[] = []
  private readonly opaque: string[] = []
  private readonly times = new Map<string, number>()
  private readonly files: (FileData & { inode: number })[] = []
  private replaced = false
  private count = 0
  private size = 0
  private disk = DISK_BLOCK

  /** @param root a descriptor that `close` closes */
  constructor(file: WindowedFile, root: number, limits = defaultLimits, merge?: MergeRules) {
    this.file = file
    this.limits = limits
    this.root = root
    this.merge = merge
  }

  close(): void {
    this.leaveParent()
    fs.closeSync(this.root)
  }

  add(entry: TarEntry): void {
    if (++this.count > this.limits.entries) throw invalid(`the layer has over ${this.limits.entries} entries`)
    const inner = cleanPath(entry.path)
    // The folder that a tar is laid over stays as it is.
    if (inner === '') {
      if (!this.merge) this.addRoot(entry)
      return
    }
    const path = join(this.merge?.into ?? '', inner)
    const name = path.slice(path.lastIndexOf('/') + 1)
    const folder = path.slice(0, Math.max(path.length - name.length - 1, 0))
    if (this.merge) this.make(entry, path, folder, name)
    else if (name === OPAQUE_WHITEOUT) this.opaque.push(folder)
    // Other names of this form are aufs's own books, which no image means to carry.
    else if (name.startsWith('.wh..wh.')) return
    else if (name.startsWith(WHITEOUT_PREFIX))
      this.whiteouts.push(join(folder, name.slice(WHITEOUT_PREFIX.length)))
    else this.make(entry, path, folder, name)
  }

  /**
   * Deletions come last: they mean the layers below only (layer.md, "Whiteouts"), so where this layer brings a
   * folder of the same name that one hides what was below, and a file does so by itself.
   */
  finish(): Extracted {
    for (const path of this.whiteouts) this.whiteout(path)
    for (const folder of this.opaque) setOpaque(this.inside(folder, '.'))
    this.leaveParent()
    for (const [path, mtime] of this.times) this.setFolderTime(path, mtime)
    return { size: this.size, disk: this.disk, files: this.replaced ? this.unchanged() : this.files }
  }

  private addRoot(entry: TarEntry): void {
    if (entry.kind !== 'directory') throw invalid('the layer has an entry for its root that is no folder')
    const path = `/proc/self/fd/${this.root}/.`
    fs.chownSync(path, entry.uid, entry.gid)
    fs.chmodSync(path, entry.mode)
    this.times.set('', entry.mtime)
  }

  private make(given: TarEntry, path: string, folder: string, name: string): void {
    const entry = this.merge?.owner ? { ...given, ...this.merge.owner } : given
    const at = this.inside(folder, name)
    try {
      this.create(entry, at, path)
    } catch (error) {
      if ((error as { code?: string }).code !== 'EEXIST') throw error
      // The same path again: the last one counts, as with tar.
      const isFolder = fs.lstatSync(at).isDirectory()
      if (entry.kind !== 'directory' || !isFolder) {
        if (this.merge?.keepKinds && isFolder !== (entry.kind === 'directory'))
          throw invalid(overwriting(path, isFolder))
        this.removeExisting(at)
        this.create(entry, at, path)
      }
    }
    if (entry.kind === 'link') return
    if (entry.kind !== 'file') fs.lchownSync(at, entry.uid, entry.gid)
    if (entry.kind !== 'file' && entry.kind !== 'symlink') fs.chmodSync(at, entry.mode)
    if (entry.kind !== 'file') this.setXattrs(entry, at)
    if (entry.kind === 'directory') this.times.set(path, entry.mtime)
    else if (entry.kind !== 'file') fs.lutimesSync(at, entry.mtime, entry.mtime)
  }

  private create(entry: TarEntry, at: Buffer, path: string): void {
    const { kind, mode, major, minor } = entry
    if (kind === 'file') this.createFile(entry, at, path)
    else if (kind === 'link') this.link(entry, at)
    else if (kind === 'symlink') fs.symlinkSync(bytes(entry.linkPath), at)
    else if (kind === 'fifo') mkfifo(at, mode)
    else if (kind === 'char') mknod(at, S_IF.CHR | mode, major, minor)
    else if (kind === 'block') mknod(at, S_IF.BLK | mode, major, minor)
    else {
      fs.mkdirSync(at, 0o755)
      this.disk += DISK_BLOCK
    }
  }

  private createFile(entry: TarEntry, at: Buffer, path: string): void {
    this.size += entry.size
    if (this.size > this.limits.bytes) throw invalid(`the layer has over ${this.limits.bytes} bytes`)
    const fd = fs.openSync(at, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
    try {
      for (let done = 0; done < entry.size; ) {
        const piece = this.file.read(entry.offset + done, Math.min(entry.size - done, 1 << 20))
        if (piece.length === 0) throw invalid('the layer is cut off')
        done += writeAll(fd, piece)
      }
      fs.fchownSync(fd, entry.uid, entry.gid)
      fs.fchmodSync(fd, entry.mode)
      this.setXattrs(entry, at)
      fs.futimesSync(fd, entry.mtime, entry.mtime)
      if (entry.size > 0)
        this.files.push({ path, offset: entry.offset, size: entry.size, inode: fs.fstatSync(fd).ino })
    } finally {
      fs.closeSync(fd)
    }
    this.disk += Math.ceil(entry.size / DISK_BLOCK) * DISK_BLOCK
  }

  /** A second name of a file of this layer; the name is looked up inside, and a link at its end not followed. */
  private link(entry: TarEntry, at: Buffer): void {
    const source = join(this.merge?.into ?? '', cleanPath(entry.linkPath))
    const name = source.slice(source.lastIndexOf('/') + 1)
    const folder = source.slice(0, Math.max(source.length - name.length - 1, 0))
    const fd = openInRoot(this.root, asPath(folder), O_PATH | O_DIRECTORY)
    try {
      fs.linkSync(bytes(`/proc/self/fd/${fd}/${name}`), at)
    } finally {
      fs.closeSync(fd)
    }
  }

  private setXattrs(entry: TarEntry, at: Buffer): void {
    for (const [name, value] of entry.xattrs ?? []) if (isLayerXattr(name)) lsetXattr(at, name, value)
  }

  private whiteout(path: string): void {
    const name = path.slice(path.lastIndexOf('/') + 1)
    if (name === '' || name === '.' || name === '..') throw invalid('the layer deletes an impossible name')
    const at = this.inside(path.slice(0, Math.max(path.length - name.length - 1, 0)), name)
    try {
      makeWhiteout(at)
    } catch (error) {
      if ((error as { code?: string }).code !== 'EEXIST') throw error
      if (fs.lstatSync(at).isDirectory()) setOpaque(at)
    }
  }

  /** The path of a name in a folder of the layer that nothing can redirect: the folder is held open. */
  private inside(folder: string, name: string): Buffer {
    if (this.parent?.path !== folder) {
      this.leaveParent()
      this.parent = { path: folder, fd: this.openFolder(folder) }
    }
    return bytes(`/proc/self/fd/${this.parent!.fd}/${name}`)
  }

  private openFolder(folder: string): number {
    try {
      return openInRoot(this.root, asPath(folder), O_PATH | O_DIRECTORY)
    } catch (error) {
      if ((error as { code?: string }).code !== 'ENOENT') throw error
    }
    // A tar need not name the folders that its files are in.
    const made = mkdirAllInRoot(this.root, bytes(folder).toString(), 0o755)
    this.disk += made.length * DISK_BLOCK
    return openInRoot(this.root, asPath(folder), O_PATH | O_DIRECTORY)
  }

  private leaveParent(): void {
    if (this.parent) fs.closeSync(this.parent.fd)
    this.parent = undefined
  }

  private removeExisting(at: Buffer): void {
    this.replaced = true
    if (!fs.lstatSync(at).isDirectory()) {
      fs.unlinkSync(at)
      return
    }
    // By a plain name, since the old one may be no text at all.
    const parent = this.parent!
    const doomed = `.kernel-replaced-${process.pid}-${this.count}`
    fs.renameSync(at, `/proc/self/fd/${parent.fd}/${doomed}`)
    removeInRoot(parent.fd, doomed)
  }

  /**
   * The files whose data is still where it was written: one that the tar replaced later is not, nor one whose
   * inode went to a later entry.
   */
  private unchanged(): FileData[] {
    const owner = new Map(this.files.map((file) => [file.inode, file]))
    return this.files.filter((file) => owner.get(file.inode) === file && this.isStillThere(file))
  }

  /** An inode that was freed may be something else by now, but then no file of that size. */
  private isStillThere({ path, inode, size }: FileData & { inode: number }): boolean {
    try {
      const fd = openInRoot(this.root, asPath(path), O_PATH | O_NOFOLLOW)
      try {
        const stat = fs.fstatSync(fd)
        return stat.isFile() && stat.ino === inode && stat.size === size
      } finally {
        fs.closeSync(fd)
      }
    } catch {
      return false
    }
  }

  private setFolderTime(path: string, mtime: number): void {
    try {
      const fd = openInRoot(this.root, asPath(path), O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
      try {
        fs.futimesSync(fd, mtime, mtime)
      } finally {
        fs.closeSync(fd)
      }
    } catch (error) {
      // A later entry may have put something else there.
      if (!['ENOENT', 'ENOTDIR', 'ELOOP'].includes((error as { code?: string }).code ?? '')) throw error
    }
  }
}

/** `/a/./b//c/` is `a/b/c`. @throws invalid where it leads out of the layer */
export function cleanPath(path: string): string {
  const parts: string[] = []
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue
    if (part !== '..') parts.push(part)
    else if (parts.pop() === undefined)
      throw invalid(`the layer has an entry that leads out of it: ${JSON.stringify(path)}`)
  }
  return parts.join('/')
}

/** In dockerd's words, as clients show them. */
function overwriting(path: string, isFolder: boolean): string {
  const shown = JSON.stringify(`/${bytes(path)}`)
  return isFolder
    ? `cannot overwrite directory ${shown} with non-directory`
    : `cannot overwrite non-directory ${shown} with directory`
}

const join = (folder: string, name: string) => (folder === '' ? name : `${folder}/${name}`)
const bytes = (path: string): Buffer => Buffer.from(path, 'latin1')
/** For openat2, which takes bytes as well as text. */
const asPath = (path: string): string => (path === '' ? '.' : (bytes(path) as unknown as string))

function writeAll(fd: number, piece: Buffer): number {
  for (let done = 0; done < piece.length; ) done += fs.writeSync(fd, piece, done)
  return piece.length
}
