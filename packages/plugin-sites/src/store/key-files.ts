/** Private keys, one a file of mode 0600 in a folder of mode 0700. @module */
import { randomBytes } from 'node:crypto'
import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ensureDir, sweepTemp, writeFileAtomic } from '@kernel/state'

export class KeyFiles {
  readonly #dir: string

  private constructor(dir: string) {
    this.#dir = dir
  }

  static async open(dir: string): Promise<KeyFiles> {
    await ensureDir(dir)
    await sweepTemp(dir)
    return new KeyFiles(dir)
  }

  /** Writes a key under a name that nobody has; the record that names it comes after. */
  async add(pem: string): Promise<string> {
    const name = `${randomBytes(12).toString('hex')}.pem`
    await writeFileAtomic(join(this.#dir, name), pem)
    return name
  }

  read(name: string): Promise<string> {
    return readFile(join(this.#dir, name), 'utf8')
  }

  /** Removes all that no record names. */
  async keepOnly(names: Iterable<string>): Promise<void> {
    const kept = new Set(names)
    for (const name of await readdir(this.#dir))
      if (!kept.has(name)) await rm(join(this.#dir, name), { force: true })
  }
}
