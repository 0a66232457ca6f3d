/** Writes docs/reference/cli.md and errors.md: `pnpm --filter @kernel/cli reference` */
import { mkdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { pages, referenceDir } from '../src/reference/pages.ts'

mkdirSync(referenceDir, { recursive: true })
for (const [name, render] of Object.entries(pages)) {
  const file = new URL(name, referenceDir)
  writeFileSync(file, render())
  process.stdout.write(`${fileURLToPath(file)}\n`)
}
