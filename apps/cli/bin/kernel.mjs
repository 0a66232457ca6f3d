#!/usr/bin/env node
const [major] = process.versions.node.split('.').map(Number)
if (major < 24) {
  console.error(` !     kernel needs Node 24 or newer, this is ${process.versions.node}.`)
  console.error('       From a checkout: pnpm exec kernel (it brings its own Node).')
  process.exit(70)
}
const { main } = await import('../dist/index.js')
await main(process.argv.slice(2))
