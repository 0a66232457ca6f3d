import { readFileSync } from 'node:fs'
import type { ProblemKind } from '@kernel/contracts'
import { errorCodes } from '@kernel/kernel'
import { describe, expect, it } from 'vitest'
import { commandGroups } from '../commands/index.ts'
import { exitCodes } from '../exit-codes.ts'
import { pages, referenceDir } from './pages.ts'

describe('the reference', () => {
  it.each(Object.entries(pages))(
    '%s is as the program says: pnpm --filter @kernel/cli reference',
    (name, render) => {
      expect(readFileSync(new URL(name, referenceDir), 'utf8')).toBe(render())
    },
  )

  it('has every command, every exit code, every error code', () => {
    const [cli, errors] = [pages['cli.md']!(), pages['errors.md']!()]
    for (const { commands } of commandGroups)
      for (const { name, options = [] } of commands) {
        expect(cli).toContain(`\n### ${name}\n`)
        for (const [flags] of options) expect(cli).toContain(`| \`${flags}\` |`)
      }
    for (const { code, meaning } of Object.values(exitCodes))
      expect(cli).toContain(`| ${code} | ${meaning} |`)
    for (const code of Object.keys(errorCodes)) expect(errors).toContain(`| \`${code}\` |`)
    const kinds: Array<[ProblemKind, number, number]> = [
      ['not-found', 404, 3],
      ['invalid', 400, 2],
      ['not-supported', 501, 6],
    ]
    for (const [kind, status, exit] of kinds)
      expect(errors).toContain(`| \`${kind}\` | ${status} | ${exit} |`)
  })
})
