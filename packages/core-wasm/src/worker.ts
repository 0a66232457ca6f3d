/**
 * The jobs of a layer pool, as they run in its threads. Answers go through structured clone, which keeps neither an
 * error's class nor its code, so failures travel as plain objects.
 * @module
 */
import { move, transferableSymbol, valueSymbol } from 'piscina'
import type { ScanLimits } from './column-sink.ts'
import { digestFile as digest } from './digest-file.ts'
import { TarError, type TarErrorCode } from './errors.ts'
import { diffEntries } from './layer-tree.ts'
import { type PackLayerOptions, packLayer as pack } from './pack-layer.ts'
import { buffersOf } from './tar-entries.ts'
import { scanTarFile } from './tar-scanner.ts'

/** What came of a job. */
export type Answer<T> = { ok: true; value: T } | { ok: false; failure: Failure }

export interface Failure {
  /** Present where the failure is a TarError. */
  tar?: { code: TarErrorCode; offset: number | undefined }
  message: string
  /** `code`, `syscall` and the like of a system's error. */
  details: Record<string, unknown>
}

export function scan({ file, limits }: { file: string; limits?: ScanLimits }): Promise<unknown> {
  return answer(() => scanTarFile(file, limits).columns, buffersOf)
}

export function packLayer(options: PackLayerOptions): Promise<unknown> {
  return answer(() => pack(options))
}

export function digestFile(file: string): Promise<unknown> {
  return answer(() => digest(file))
}

export function diff({
  lower,
  upper,
  limits,
}: {
  lower: string[]
  upper: string[]
  limits?: ScanLimits
}): Promise<unknown> {
  const all = (files: string[]) => files.map((file) => scanTarFile(file, limits))
  return answer(() => diffEntries(all(lower), all(upper)))
}

// An Answer, with the buffers that move to the other side instead of being copied.
async function answer<T>(
  job: () => T | Promise<T>,
  buffers: (value: T) => ArrayBuffer[] = () => [],
): Promise<unknown> {
  try {
    const value = await job()
    const reply: Answer<T> = { ok: true, value }
    return move({ [transferableSymbol]: buffers(value), [valueSymbol]: reply } as never)
  } catch (error) {
    return { ok: false, failure: describe(error) } satisfies Answer<T>
  }
}

function describe(error: unknown): Failure {
  if (error instanceof TarError) {
    return { tar: { code: error.code, offset: error.offset }, message: error.message, details: {} }
  }
  if (!(error instanceof Error)) return { message: String(error), details: {} }
  const { code, errno, syscall, path } = error as NodeJS.ErrnoException
  return { message: error.message, details: { code, errno, syscall, path } }
}
