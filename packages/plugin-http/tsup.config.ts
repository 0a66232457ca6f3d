import { defineConfig } from 'tsup'

export default defineConfig({
  entry: {
    index: 'src/index.ts',
    // The edge's listener threads start from a file of their own.
    'proxy/thread': 'src/proxy/thread/main.ts',
  },
  format: ['esm'],
  target: 'node22',
  platform: 'node',
  removeNodeProtocol: false,
  dts: false,
  clean: true,
  sourcemap: true,
})
