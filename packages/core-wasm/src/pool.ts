/**
 * A pool of threads for jobs the size of a layer.
 * @module
 */
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { Piscina } from 'piscina'
import type { ScanLimits } from './column-sink.ts'
import { TarError } from './errors.ts'
import type { Change } from './layer-tree.ts'
import type { PackedLayer, PackLayerOptions } from './pack-layer.ts'
import { type TarColumns, TarEntries } from './tar-entries.ts'
import type { Answer } from './worker.ts'

/** What every job takes. */
export interface JobOptions {
  /** Ends the job's thread at once; files that it was writing stay as they are. */
  signal?: AbortSignal
}

/** Layer-sized jobs, each in a thread of its own. Failures are those of the functions they run: TarError, system's. */
export interface LayerPool {
  /** The entries of an uncompressed tar file. */
  scan(file: string, options?: JobOptions & ScanLimits): Promise<TarEntries>
  /** Writes a folder as a layer. */
  packLayer(layer: PackLayerOptions, options?: JobOptions): Promise<PackedLayer>
  /** The digest (`sha256:...`) and size of a file. */
  digestFile(file: string, options?: JobOptions): Promise<{ digest: string; size: number }>
  /** What differs between two trees, each given by the uncompressed tar files of its layers, the lowest first. */
  diff(lower: string[], upper: string[], options?: JobOptions & ScanLimits): Promise<Change[]>
  /** Ends all threads; jobs that still run are refused. */
  destroy(): Promise<void>
}

/** Makes a pool. Threads start with the first jobs, and end after ten idle seconds. */
export function createLayerPool({
  threads = Math.min(4, availableParallelism()),
}: {
  threads?: number
} = {}): LayerPool {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  const piscina = new Piscina({
    filename: fileURLToPath(new URL(`./worker.${extension}`, import.meta.url)),
    minThreads: 0,
    maxThreads: threads,
    idleTimeout: 10_000,
  })
  const run = async <T>(name: string, task: unknown, signal: AbortSignal | undefined): Promise<T> =>
    unwrap(await piscina.run(task, { name, ...(signal && { signal }) }))

  return {
    async scan(file, { signal, ...limits } = {}) {
      return new TarEntries(await run<TarColumns>('scan', { file, limits }, signal))
    },
    packLayer: (layer, { signal } = {}) => run('packLayer', layer, signal),
    digestFile: (file, { signal } = {}) => run('digestFile', file, signal),
    diff: (lower, upper, { signal, ...limits } = {}) => run('diff', { lower, upper, limits }, signal),
    destroy: () => piscina.destroy(),
  }
}

function unwrap<T>(answer: Answer<T>): T {
  if (answer.ok) return answer.value
  const { tar, message, details } = answer.failure
  if (!tar) throw Object.assign(new Error(message), details)
  throw TarError.revive(tar.code, message, tar.offset)
}
