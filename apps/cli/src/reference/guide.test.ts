import { readFileSync } from 'node:fs'
import * as contracts from '@kernel/contracts'
import { expect, it } from 'vitest'

const root = new URL('../../../../', import.meta.url)
const read = (file: string) => readFileSync(new URL(file, root), 'utf8')
/** The formatter pads tables and moves code to the left. */
const squeeze = (text: string) => text.replace(/-{3,}|\s+/g, ' ')
const guide = read('docs/plugin-guide.md')

const tokens = Object.entries(contracts).flatMap(([name, value]) =>
  typeof value === 'object' && 'kind' in value && 'name' in value ? [{ name, token: value }] : [],
)

it('the plugin guide has every hook with its kind, and every service', () => {
  expect(tokens.length).toBeGreaterThan(40)
  for (const { name, token } of tokens)
    if (token.kind === 'service') expect(guide).toMatch(new RegExp(`\`${name}\``))
    else expect(squeeze(guide)).toContain(`| \`${token.name}\` | ${token.kind} |`)
})

it('the code in the plugin guide is that of the example', () => {
  const pieces = [...guide.matchAll(/```ts\n\/\/ (examples\/\S+)\n([\s\S]+?)```/g)]
  expect(pieces.length).toBeGreaterThan(5)
  for (const [, file, code] of pieces) expect(squeeze(read(file!)), file).toContain(squeeze(code!).trim())
})

it('the links in the guides lead somewhere', () => {
  for (const page of ['plugin-guide.md', 'architecture.md']) {
    const links = [...read(`docs/${page}`).matchAll(/\]\((?!https?:)([^)#]+)\)/g)].map(([, link]) => link!)
    for (const link of links)
      expect(() => readFileSync(new URL(link, new URL(`docs/${page}`, root)))).not.toThrow(/ENOENT/)
  }
})
