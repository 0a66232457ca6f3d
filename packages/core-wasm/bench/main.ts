/**
 * `pnpm --filter @kernel/core-wasm bench [tar|layers|routes]`: medians, and ratios to the first of each group.
 * @module
 */
import { benchLayers } from './layers.ts'
import { benchRoutes } from './routes.ts'
import { benchTar } from './tar.ts'

const benches = { tar: benchTar, layers: benchLayers, routes: benchRoutes }
const only = process.argv[2]
console.log(`Node ${process.version}, ${process.arch}`)
for (const [name, bench] of Object.entries(benches)) if (!only || only === name) await bench()
