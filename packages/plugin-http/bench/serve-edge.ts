/**
 * The edge alone, with one thread, for benchmarks and load tests from outside:
 * `node --conditions=source bench/serve-edge.ts PORT TARGET_PORT ROUTES`. Says `ready` on stdout.
 * Hosts are `r0.test`, `r1.test`, ...
 * @module
 */
import { createEdge, edgeConfig, settingsOf } from '../src/proxy/index.ts'

const [port, targetPort, count] = process.argv.slice(2).map(Number) as [number, number, number]
const line = (text: string) => console.error(text)
const edge = await createEdge({
  listen: [`127.0.0.1:${port}`],
  threads: 1,
  settings: settingsOf(edgeConfig.parse({ dataDir: '/nowhere' })),
  log: { debug: () => {}, info: () => {}, warn: line, error: line },
})
const targets = [{ id: 'app', host: '127.0.0.1', port: targetPort }]
await edge.publish(
  'app',
  Array.from({ length: count }, (_, i) => ({ host: `r${i}.test`, path: '', state: 'up' as const, targets })),
)
await edge.ready()
console.log('ready')
