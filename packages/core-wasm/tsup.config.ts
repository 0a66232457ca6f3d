import { defineConfig } from 'tsup'

// Every output lies directly in dist/, as every source that looks for ../build/*.wasm lies directly in src/.
export default defineConfig({
  entry: ['src/index.ts', 'src/worker.ts'],
  format: ['esm'],
  target: 'node22',
  platform: 'node',
  dts: false,
  clean: true,
  sourcemap: true,
})
