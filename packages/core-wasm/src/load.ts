/**
 * Where the WebAssembly modules come from: `build/*.wasm`, one folder beside both `src/` and `dist/`.
 * @module
 */
import { readFileSync } from 'node:fs'
import {
  Global,
  Instance,
  Module,
  type WasmExports,
  type WasmMemory,
  type WasmModule,
} from './webassembly.ts'

const compiled = new Map<string, WasmModule>()

/** One instance of a module over a memory of the host; a module is compiled once a thread. */
export function instantiate(name: string, memory: WasmMemory): WasmExports {
  let module = compiled.get(name)
  if (!module) {
    module = new Module(read(name))
    compiled.set(name, module)
  }
  return new Instance(module, { env: { memory } }).exports
}

/** A number that the assembly exports as a constant, so that an address or a code is written down only once. */
export function constant(exports: WasmExports, name: string): number {
  const value = exports[name]
  if (!(value instanceof Global)) throw new TypeError(`the WebAssembly module has no constant ${name}`)
  return value.value as number
}

function read(name: string): Uint8Array {
  const file = new URL(`../build/${name}.wasm`, import.meta.url)
  try {
    return readFileSync(file)
  } catch (cause) {
    throw new Error(`cannot read ${file.pathname}; build it with: pnpm --filter @kernel/core-wasm build`, {
      cause,
    })
  }
}

/** Buffer's own writers: undocumented, and two times as fast as `write(text, at, encoding)` on short strings. */
export interface FastBuffer extends Buffer<ArrayBufferLike> {
  utf8Write(text: string, offset: number, length?: number): number
  utf8Slice(start: number, end: number): string
}

/** A Buffer over a memory. A view of shared memory stays valid as the memory grows, yet keeps its length. */
export function bytesOf(memory: WasmMemory): FastBuffer {
  return Buffer.from(memory.buffer) as unknown as FastBuffer
}
