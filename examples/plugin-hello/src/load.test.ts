import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

it('is found by its package name beside the config file', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'hello-load-'))
  try {
    await mkdir(join(dir, 'node_modules'))
    const here = fileURLToPath(new URL('..', import.meta.url))
    await symlink(here, join(dir, 'node_modules', 'kernel-plugin-hello'))
    const script = `
      import { loadPlugin } from '@kernel/kernel'
      const { name, kernel, permissions } = await loadPlugin('kernel-plugin-hello', { from: ${JSON.stringify(dir)} })
      console.log(JSON.stringify({ name, kernel, permissions }))`
    const args = ['--conditions=source', '--input-type=module', '--eval', script]
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: here })
    expect(JSON.parse(stdout)).toEqual({ name: 'hello', kernel: '^1', permissions: ['network'] })
  } finally {
    await rm(dir, { recursive: true })
  }
})
