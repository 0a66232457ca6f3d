import { randomBytes } from 'node:crypto'
import fs from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { mountsBelow } from './mounts.ts'
import { spendReserve } from './space-reserve.ts'

/** Marks the temporary names of this run of the program, so that those of a run that crashed can be told. */
const RUN = randomBytes(4).toString('hex')
const TEMPORARY = /^\..+\.([0-9a-f]{8})\.[0-9a-f]{12}\.tmp$/

/** Bytes of a file that the reserve is spent for. */
const LARGEST_RECORD = 64 << 10

function temporaryName(path: string): string {
  const unique = randomBytes(6).toString('hex')
  // A file name holds 255 bytes; the end of a long one is cut off, which the unique part makes up for.
  const base = Buffer.from(basename(path))
    .subarray(0, 200)
    .toString('latin1')
    .replace(/[^\x20-\x7e]/g, '_')
  return join(dirname(path), `.${base}.${RUN}.${unique}.tmp`)
}

/**
 * Writes a file so that at any moment, power cuts included, there is either the old content or the whole new
 * one, and that the new one is on the disk when the promise resolves.
 * @param options.mode permission bits, exactly; default 0600
 */
export async function writeFileAtomic(
  path: string,
  data: string | Uint8Array | AsyncIterable<Uint8Array>,
  options: { mode?: number } = {},
): Promise<void> {
  const mode = options.mode ?? 0o600
  for (;;)
    try {
      return await writeOnce(path, data, mode)
    } catch (error) {
      // The reserve is for records; and what came from a stream can't be had again.
      const again = (typeof data === 'string' || data instanceof Uint8Array) && data.length <= LARGEST_RECORD
      if (!again || (error as { code?: string }).code !== 'ENOSPC' || !spendReserve()) throw error
    }
}

async function writeOnce(
  path: string,
  data: string | Uint8Array | AsyncIterable<Uint8Array>,
  mode: number,
): Promise<void> {
  const temporary = temporaryName(path)
  try {
    const file = await fs.open(temporary, 'wx', mode)
    try {
      await file.writeFile(data)
      await file.chmod(mode) // the umask may have taken bits away
      await file.sync()
    } finally {
      await file.close()
    }
    await fs.rename(temporary, path)
  } catch (error) {
    await fs.rm(temporary, { force: true })
    throw error
  }
  await syncDir(dirname(path))
}

/** {@link writeFileAtomic} of a value as indented JSON. */
export async function writeJson(
  path: string,
  value: unknown,
  options: { mode?: number } = {},
): Promise<void> {
  await writeFileAtomic(path, `${JSON.stringify(value, null, 2)}\n`, options)
}

/**
 * The value in a JSON file, or `undefined` where there is no file.
 * @param options.schema checks the value and gives it its type; any zod schema is one
 * @throws Error that names the file when it is not JSON or not what the schema asks
 */
export async function readJson<T = unknown>(
  path: string,
  options: { schema?: { parse(value: unknown): T } } = {},
): Promise<T | undefined> {
  let text: string
  try {
    text = await fs.readFile(path, 'utf8')
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return undefined
    throw error
  }
  try {
    const value: unknown = JSON.parse(text)
    return options.schema ? options.schema.parse(value) : (value as T)
  } catch (cause) {
    throw new Error(`${path} cannot be used: ${(cause as Error).message}`, { cause })
  }
}

/**
 * Makes a directory and its missing parents, durably.
 * @param mode permission bits of the directory itself, set even where it exists; default 0700. Missing
 *   parents get 0755 less the umask
 */
export async function ensureDir(path: string, mode = 0o700): Promise<void> {
  const first = await makeDir(path)
  await fs.chmod(path, mode)
  if (first) await syncDir(dirname(first))
}

async function makeDir(path: string): Promise<string | undefined> {
  for (;;)
    try {
      return await fs.mkdir(path, { recursive: true, mode: 0o755 })
    } catch (error) {
      if ((error as { code?: string }).code !== 'ENOSPC' || !spendReserve()) throw error
    }
}

/**
 * Removes a file or a directory with all that is in it, never through symbolic links. It disappears under
 * its name at once; what a crash leaves of it, {@link sweepTemp} removes. A missing path is fine.
 * @throws Error where something is still mounted inside: its content is not ours to delete
 */
export async function removeTree(path: string): Promise<void> {
  const whole = resolve(path)
  if (dirname(whole) === whole) throw new Error(`refused to remove ${whole}`)
  const inside = await mountsBelow(whole)
  if (inside.length > 0)
    throw new Error(`${whole} is not removed: ${inside.join(', ')} is still mounted. Unmount it first`)
  const temporary = temporaryName(whole)
  try {
    await fs.rename(whole, temporary)
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return
    throw error
  }
  await fs.rm(temporary, { recursive: true, force: true })
}

/**
 * Removes what a crashed run left half-written or half-removed in a directory (not in those below it). For
 * the start of the program, by whoever owns the directory alone.
 * @returns the names that were removed
 */
export async function sweepTemp(dir: string): Promise<string[]> {
  const names = await fs.readdir(dir)
  const left = names.filter((name) => {
    const run = TEMPORARY.exec(name)?.[1]
    return run !== undefined && run !== RUN
  })
  for (const name of left) {
    const path = join(dir, name)
    if ((await mountsBelow(resolve(path))).length > 0) continue
    await fs.rm(path, { recursive: true, force: true })
  }
  return left
}

/** Gives a file or a folder another name; the new one is on the disk when the promise resolves. */
export async function moveDurably(from: string, to: string): Promise<void> {
  await fs.rename(from, to)
  await syncDir(dirname(to))
  if (dirname(from) !== dirname(to)) await syncDir(dirname(from))
}

/** Resolves when everything in a small folder is on the disk. */
export async function syncTree(dir: string): Promise<void> {
  for (const entry of await fs.readdir(dir, { recursive: true, withFileTypes: true }))
    if (entry.isFile() || entry.isDirectory()) await syncDir(join(entry.parentPath, entry.name))
  await syncDir(dir)
}

/** A rename is on the disk when its directory is. */
async function syncDir(dir: string): Promise<void> {
  const handle = await fs.open(dir, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
