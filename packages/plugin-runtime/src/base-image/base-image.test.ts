import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { lstat, readFile } from 'node:fs/promises'
import { isBuiltin } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { baseImageContents } from './contents.ts'
import { layDown } from './lay-down.ts'

const isRoot = process.getuid?.() === 0
if (!isRoot) console.log('base image: running a program inside it is skipped, chroot needs root')

describe('the tree of the base image', () => {
  const root = mkdtempSync(join(tmpdir(), 'base-image-test-'))
  beforeAll(async () => {
    // As the daemon does: nothing that it writes is for others to read.
    const before = process.umask(0o077)
    await layDown(await baseImageContents(), root)
    process.umask(before)
  })
  afterAll(() => rmSync(root, { recursive: true }))

  it('has Node, npm, a shell, the app user and certificates', async () => {
    expect((await lstat(join(root, 'usr/local/bin/node'))).mode & 0o777).toBe(0o755)
    expect(readdirSync(join(root, 'usr/local/lib/node_modules/npm/bin'))).toContain('npm-cli.js')
    expect(await readFile(join(root, 'etc/passwd'), 'utf8')).toMatch(/^app:x:1000:1000:/m)
    expect((await lstat(join(root, 'tmp'))).mode & 0o7777).toBe(0o1777)
    expect((await lstat(join(root, 'usr/bin/sh'))).isSymbolicLink() || isRoot).toBe(true)
  })

  it('lets everybody read what the loader needs', async () => {
    for (const { target } of await baseImageContents())
      for (let path = target; path !== '.'; path = dirname(path)) {
        const stat = await lstat(join(root, path))
        if (path !== 'root' && !stat.isSymbolicLink())
          expect([path, stat.mode & 0o004]).toEqual([path, 0o004])
      }
  })

  it('has a web server that needs no file beside itself', async () => {
    const server = await readFile(join(root, 'opt/kernel/static-server.mjs'), 'utf8')
    const imports = [...server.matchAll(/^(?:import|export)\b[^'"]*["']([^'"]+)["']/gm)].map(
      ([, name]) => name,
    )
    expect(imports).toContain('node:http')
    expect(imports.filter((name) => !isBuiltin(name!))).toEqual([])
  })

  it.runIf(isRoot)('is the same each time', async () => {
    const again = mkdtempSync(join(tmpdir(), 'base-image-again-'))
    try {
      await layDown(await baseImageContents(), again)
      const digest = (dir: string) =>
        String(
          execFileSync('sh', [
            '-c',
            `cd ${dir} && tar --sort=name --mtime=@0 --numeric-owner -cf - . | sha256sum`,
          ]),
        )
      expect(digest(again)).toBe(digest(root))
    } finally {
      rmSync(again, { recursive: true })
    }
  })

  // Last: npm writes its log into the tree.
  it.runIf(isRoot)('runs Node, npm and the shell with nothing but itself', () => {
    const inside = (...argv: string[]) =>
      String(
        execFileSync('/usr/sbin/chroot', [root, ...argv], {
          env: { PATH: '/usr/local/bin:/usr/bin', HOME: '/root' },
        }),
      ).trim()
    expect(inside('/usr/local/bin/node', '--version')).toBe(process.version)
    expect(inside('/bin/sh', '-c', 'npm --version')).toMatch(/^\d+\.\d+\.\d+$/)
    expect(inside('/bin/sh', '-c', 'echo one two | cut -d" " -f2')).toBe('two')
    expect(inside('/usr/local/bin/node', '--check', '/opt/kernel/static-server.mjs')).toBe('')
  })
})
