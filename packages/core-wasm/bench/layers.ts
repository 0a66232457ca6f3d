/**
 * Layers: the difference between two trees of 100,000 entries.
 * @module
 */
import { diffEntries, TarScanner, writeTarHeader } from '../src/index.ts'
import { diffWithMaps } from '../src/twin/layer-map.ts'
import { measure } from './measure.ts'

const ENTRIES = 100_000

function tree(changed: (i: number) => boolean) {
  const scanner = new TarScanner()
  for (let i = 0; i < ENTRIES; i++) {
    const path = `usr/lib/package-${String(Math.floor(i / 100)).padStart(4, '0')}/file-${String(i).padStart(6, '0')}.js`
    scanner.push(writeTarHeader({ path, mtime: changed(i) ? 2 : 1 }))
  }
  return scanner.end()
}

export async function benchLayers(): Promise<void> {
  const lower = tree(() => false)
  const upper = tree((i) => i % 500 === 0)
  const check = (changes: number) => {
    if (changes !== ENTRIES / 500) throw new Error(`${changes} changes`)
  }
  await measure(
    { title: `difference of two trees of ${ENTRIES} entries`, units: 1, unit: 'difference', rounds: 5 },
    [
      { name: 'core-wasm diffEntries', run: () => check(diffEntries([lower], [upper]).length) },
      { name: 'JavaScript twin (Maps)', run: () => check(diffWithMaps([lower], [upper]).length) },
    ],
  )
}
