import { defineConfig } from 'tsup'

export default defineConfig({
  entry: ['src/index.ts'],
  format: ['esm'],
  target: 'node24',
  platform: 'node',
  dts: false,
  clean: true,
  sourcemap: true,
  // The daemon is loaded only where it is run: a client command answers in a tenth of a second.
  splitting: true,
})
