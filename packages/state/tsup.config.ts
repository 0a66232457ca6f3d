import { defineConfig } from 'tsup'

export default defineConfig({
  entry: ['src/index.ts'],
  format: ['esm'],
  target: 'node22',
  platform: 'node',
  // `sqlite` without its `node:` is no module at all.
  removeNodeProtocol: false,
  dts: false,
  clean: true,
  sourcemap: true,
})
