import fs from 'node:fs'
import { createRequire } from 'node:module'
import { SysError, type SysErrorContext, SysUnavailableError } from './errors.ts'

/** The C types that the calls of this package use, and what JavaScript hands over for each. */
interface CTypes {
  int: number
  uint: number
  long: number
  ulong: number | bigint
  size_t: number
  uint64_t: number | bigint
  /** A pointer: the bytes stay where they are; `null` is NULL. */
  'void *': Buffer | null
}

type CType = keyof CTypes
type Arguments<A extends readonly CType[]> = { -readonly [K in keyof A]: CTypes[A[K]] }

type Koffi = typeof import('koffi')
type Library = ReturnType<Koffi['load']>
type KoffiFunction = ReturnType<Library['func']>

let loaded: { koffi: Koffi; library: Library } | undefined
let unavailable: string | undefined

function tryLoad(): { koffi: Koffi; library: Library } | undefined {
  if (loaded || unavailable) return loaded
  if (process.platform !== 'linux') {
    unavailable = `containers need Linux, this is ${process.platform}`
    return undefined
  }
  try {
    const koffi = createRequire(import.meta.url)('koffi') as Koffi
    let library: Library
    try {
      library = koffi.load('libc.so.6')
    } catch {
      library = koffi.load(null) // musl: libc is already part of the running program
    }
    // libuv makes its pool threads at the first asynchronous call, and they inherit the namespaces of the
    // thread that makes it. Make them now, before anything here can call setns.
    fs.stat('/', () => {})
    loaded = { koffi, library }
  } catch (cause) {
    unavailable = `the foreign-call library koffi cannot be loaded: ${(cause as Error).message}`
  }
  return loaded
}

/** Whether foreign calls work on this machine; loads the library at the first question. Never throws. */
export function available(): { ok: boolean; reason?: string } {
  return tryLoad() ? { ok: true } : { ok: false, reason: unavailable }
}

/** The koffi module, for its readiness polling; @throws SysUnavailableError */
export function koffi(): Koffi {
  return requireLoaded().koffi
}

function requireLoaded(): { koffi: Koffi; library: Library } {
  const found = tryLoad()
  if (!found) throw new SysUnavailableError(`system calls are not available here: ${unavailable}`)
  return found
}

/** A function of libc, called on this thread, or by `async` on a pool thread (its errno is lost there). */
interface Foreign<A extends readonly CType[]> {
  (...values: Arguments<A>): number
  async(...values: Arguments<A>): Promise<number>
}

/**
 * Declares a function of libc. Nothing is looked up before the first call. The C types decide the TypeScript
 * types of the arguments, so that the two can not drift apart: a wrong signature would crash the process.
 */
export function foreign<const A extends readonly CType[]>(
  symbol: string,
  result: 'int' | 'long',
  args: A,
): Foreign<A> {
  let bound: KoffiFunction | undefined
  const bind = () => {
    bound ??= requireLoaded().library.func(symbol, result, [...args])
    return bound
  }
  const sync = (...values: Arguments<A>) => Number(bind()(...values))
  const async = (...values: Arguments<A>) =>
    new Promise<number>((resolve, reject) => {
      bind().async(...values, (error: Error | null, value: number | bigint) =>
        error ? reject(error) : resolve(Number(value)),
      )
    })
  return Object.assign(sync, { async })
}

/** The errno of the foreign call that was made last. */
export function errno(): number {
  return koffi().errno()
}

/** Passes a result through; @throws SysError when it is negative */
export function check(result: number, syscall: string, context?: SysErrorContext): number {
  if (result < 0) throw new SysError(syscall, errno(), context)
  return result
}

/** A NUL-terminated C string. Buffers let names through that are not UTF-8. @throws SysError EINVAL on a NUL inside */
export function cstr(text: string | Buffer): Buffer {
  const bytes = typeof text === 'string' ? Buffer.from(text) : text
  if (bytes.includes(0)) throw new SysError('path', 22, { path: JSON.stringify(String(text)) })
  return Buffer.concat([bytes, terminator])
}

const terminator = Buffer.alloc(1)

export const close = foreign('close', 'int', ['int'])

/** Runs `fn` with a descriptor and closes it afterwards, whatever happens. */
export function using<T>(fd: number, fn: (fd: number) => T): T {
  try {
    return fn(fd)
  } finally {
    close(fd)
  }
}
