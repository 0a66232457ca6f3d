/**
 * The part of the WebAssembly JavaScript interface that this package uses, for programs without the DOM's types.
 * @module
 */

/** A memory of the host. Shared ones travel between threads, by `workerData` or `postMessage`. */
export interface WasmMemory {
  readonly buffer: ArrayBufferLike
  /** Adds pages of 64 KiB; throws a RangeError beyond the maximum. */
  grow(pages: number): number
}

export interface WasmModule {
  readonly [Symbol.toStringTag]: string
}

export type WasmExports = Record<string, unknown>

interface Interface {
  Memory: new (descriptor: { initial: number; maximum?: number; shared?: boolean }) => WasmMemory
  Module: new (bytes: Uint8Array) => WasmModule
  Instance: new (module: WasmModule, imports: Record<string, unknown>) => { readonly exports: WasmExports }
  Global: new (descriptor: { value: string }) => { readonly value: unknown }
  RuntimeError: new (message?: string) => Error
}

export const { Memory, Module, Instance, Global, RuntimeError } = (
  globalThis as unknown as { WebAssembly: Interface }
).WebAssembly
