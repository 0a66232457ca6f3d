/**
 * Compiles assembly/*.ts to build/*.wasm. Assertions stay on: what these modules read comes from strangers.
 * `abort` is compiled to a trap, so that no module carries a data segment: one would be written over the
 * shared memory of the route table each time a thread instantiates it.
 */
import asc from 'assemblyscript/asc'

const MODULES = [
  { name: 'routes', memory: ['--sharedMemory', '--initialMemory', '224', '--maximumMemory', '65536'] },
  { name: 'tar-scan', memory: ['--initialMemory', '1'] },
  { name: 'tar-write', memory: ['--initialMemory', '1'] },
  { name: 'diff', memory: ['--initialMemory', '1'] },
]

for (const { name, memory } of MODULES) {
  if (process.argv[2] && process.argv[2] !== name) continue
  const { error, stderr } = await asc.main([
    `assembly/${name}.ts`,
    ...['--outFile', `build/${name}.wasm`],
    ...['--runtime', 'stub', '--use', 'abort=', '--importMemory', ...memory],
    ...['--enable', 'simd', '--enable', 'threads', '-O3', '--converge'],
  ])
  if (error) {
    process.stderr.write(stderr.toString())
    process.exit(1)
  }
}
