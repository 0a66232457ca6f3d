import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { loadPlugin, loadPlugins } from './loader.ts'

const manifest = (name: string, kernel = '^1') => `{
  name: '${name}', version: '2.0.0', kernel: '${kernel}', requires: [], optional: [], provides: [],
  permissions: [], isolation: 'in-process', startTimeoutMs: 1000, stopTimeoutMs: 1000, setup() {},
}`

let from: string
beforeAll(async () => {
  from = await mkdtemp(join(tmpdir(), 'kernel-loader-'))
  await install('@acme/mail', `export default ${manifest('mail')}`)
  await install('import-only', `export default ${manifest('import-only')}`, { import: './main.js' })
  await install('future', `export default ${manifest('future', '^9')}`)
  await install('shapeless', 'export default { name: "shapeless" }')
  await install('bare', 'export const plugin = 1')
  await install('throws', 'throw new Error("boom")')
  await install('shut', '', { './other': './main.js' })
})
afterAll(() => rm(from, { recursive: true }))

async function install(name: string, source: string, exports: unknown = './main.js') {
  const directory = join(from, 'node_modules', name)
  await mkdir(directory, { recursive: true })
  await writeFile(join(directory, 'package.json'), JSON.stringify({ name, type: 'module', exports }))
  await writeFile(join(directory, 'main.js'), source)
}

test('loads packages by name from beside the configuration, in the order given', async () => {
  const plugins = await loadPlugins(['import-only', '@acme/mail'], { from })
  expect(plugins.map(({ name, version }) => `${name} ${version}`)).toEqual([
    'import-only 2.0.0',
    'mail 2.0.0',
  ])
})

test.each([
  [
    'absent',
    'PLUGIN_NOT_FOUND',
    /"absent" is not installed\. Install it with: npm install --prefix \S+ absent$/,
  ],
  ['fs', 'PLUGIN_NOT_FOUND', /"fs" is not installed/],
  ['throws', 'PLUGIN_LOAD_FAILED', /"throws" fails while it is imported: boom/],
  ['shut', 'PLUGIN_LOAD_FAILED', /"shut" is installed, but has no entry/],
  ['bare', 'PLUGIN_INVALID', /"bare" .*main\.js\) is not a plugin.*definePlugin.*\n {2}name must be a text/],
  ['shapeless', 'PLUGIN_INVALID', /\n {2}setup must be a function/],
  ['future', 'PLUGIN_INCOMPATIBLE', /"future" 2\.0\.0 was made for kernel \^9, but this is kernel 1\.0\.0/],
])('%s is %s', async (name, code, message) => {
  await expect(loadPlugin(name, { from })).rejects.toMatchObject({
    code,
    message: expect.stringMatching(message),
  })
})

test('another version of the kernel may fit', async () => {
  expect((await loadPlugin('future', { from, version: '9.1.0' })).name).toBe('future')
})
