import { defineConfig } from 'tsup'

export default defineConfig({
  entry: ['src/index.ts'],
  format: ['esm'],
  target: 'node24',
  platform: 'node',
  dts: false,
  clean: true,
  sourcemap: true,
  // A client command answers in a tenth of a second: what it needs is one file, and the daemon's parts are
  // loaded only where they are run. Plugins have their own copy of kernel and contracts, which does no harm:
  // tokens are compared by name, problems by kind.
  splitting: true,
  noExternal: [
    '@bomb.sh/tab',
    '@kernel/contracts',
    '@kernel/kernel',
    'cli-table3',
    'commander',
    'fastest-levenshtein',
    'picocolors',
  ],
  esbuildOptions(options) {
    options.conditions = ['source']
  },
})
