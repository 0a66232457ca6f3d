import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { checkRelativePath, kindOf, readSourceFile, resolveInside } from './source-files.ts'

let outer: string
let root: string
beforeEach(async () => {
  outer = await mkdtemp(join(tmpdir(), 'source-files-'))
  root = join(outer, 'tree')
  await mkdir(join(root, 'sub'), { recursive: true })
  await writeFile(join(outer, 'secret'), 'of the host')
  await writeFile(join(root, 'Procfile'), 'web: a\n')
})
afterEach(() => rm(outer, { recursive: true }))

it('reads files, also by a link that stays inside', async () => {
  await symlink('../Procfile', join(root, 'sub', 'link'))
  expect(await readSourceFile(root, 'sub/link')).toBe('web: a\n')
  expect(await readSourceFile(root, 'nothing')).toBeUndefined()
  expect(await readSourceFile(root, 'Procfile/below')).toBeUndefined()
})

it('follows nothing out of the tree', async () => {
  await symlink('../secret', join(root, 'app.json'))
  await symlink('/etc', join(root, 'etc'))
  await symlink(outer, join(root, 'build'))
  for (const path of ['app.json', 'etc/passwd', '../secret', 'build'])
    await expect(readSourceFile(root, path)).rejects.toThrow(/leads out of the source tree/)
  await expect(resolveInside(root, 'build')).rejects.toThrow(/leads out/)
})

it('is not held up by loops, folders or size', async () => {
  await symlink('loop', join(root, 'loop'))
  await expect(readSourceFile(root, 'loop')).rejects.toMatchObject({ kind: 'invalid' })
  await expect(readSourceFile(root, 'sub')).rejects.toThrow(/is not a file/)
  await writeFile(join(root, 'big'), Buffer.alloc((1 << 20) + 1))
  await expect(readSourceFile(root, 'big')).rejects.toThrow(/larger than 1024 KiB/)
  expect(await kindOf(root, 'sub')).toBe('folder')
})

it('takes paths that stay below, in their shortest form', () => {
  expect(checkRelativePath('a/./b/../c/', 'It')).toBe('a/c')
  for (const path of ['/etc', '..', '../x', 'a/../../x', 'a\0b'])
    expect(() => checkRelativePath(path, 'It'), path).toThrow(/inside the source tree/)
})
