/**
 * Writes docs/reference/api.md from the OpenAPI document of the product's API.
 * `pnpm --filter @kernel/plugin-http api-reference`
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { describeApi } from '../src/apps/api.ts'
import { renderReference } from '../src/apps/reference.ts'

const folder = new URL('../../../docs/reference/', import.meta.url)
await mkdir(folder, { recursive: true })
const file = new URL('api.md', folder)
await writeFile(file, renderReference(describeApi()))
process.stdout.write(`${fileURLToPath(file)}\n`)
