import { defineConfig } from 'tsup'

export default defineConfig({
  // static-server is put into images as it is: everything it needs is inside, so nothing is split off.
  // layer-worker is the thread that packs and unpacks layers.
  entry: {
    index: 'src/index.ts',
    'layer-worker': 'src/store/layers/worker.ts',
    'static-server': 'src/base-image/static-server.ts',
  },
  noExternal: ['sirv'],
  splitting: false,
  format: ['esm'],
  target: 'node24',
  platform: 'node',
  removeNodeProtocol: false,
  dts: false,
  clean: true,
  sourcemap: true,
})
