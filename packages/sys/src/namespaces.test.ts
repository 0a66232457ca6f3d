import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { isMountPoint } from './mount.ts'
import { createNetns, deleteNetns, withNetns } from './namespaces.ts'

const isRoot = process.getuid?.() === 0 && process.platform === 'linux'
if (!isRoot) console.log('namespaces.test: skipped, network namespaces need root on Linux')

const here = () => fs.readlinkSync('/proc/thread-self/ns/net')

describe.runIf(isRoot)('network namespaces', () => {
  let dir: string
  let path: string
  let home: string
  beforeEach(() => {
    dir = fs.mkdtempSync(join(tmpdir(), 'sys-netns-'))
    path = join(dir, 'ns')
    home = here()
    createNetns(path)
  })
  afterEach(() => {
    expect(here()).toBe(home)
    deleteNetns(path)
    fs.rmSync(dir, { recursive: true })
  })

  it('are made without leaving the own one, and live at their path', () => {
    expect(here()).toBe(home)
    expect(isMountPoint(path)).toBe(true)
    const inside = withNetns(path, here)
    expect(inside).not.toBe(home)
    expect(withNetns(path, here)).toBe(inside)
  })

  it('are entered by descriptor too, and one from another', () => {
    createNetns(`${path}2`)
    const fd = fs.openSync(path, 'r')
    try {
      const [one, two, back] = withNetns(fd, () => [here(), withNetns(`${path}2`, here), here()])
      expect(one).toBe(back)
      expect(new Set([home, one, two]).size).toBe(3)
    } finally {
      fs.closeSync(fd)
      deleteNetns(`${path}2`)
    }
  })

  it('are left again when the function throws', () => {
    expect(() =>
      withNetns(path, () => {
        throw new Error('inside')
      }),
    ).toThrow('inside')
    expect(here()).toBe(home)
  })

  it('are not for asynchronous functions', () => {
    let ran = false
    const asynchronous = async () => {
      ran = true
    }
    expect(() => withNetns(path, asynchronous as unknown as () => never)).toThrow(TypeError)
    expect(ran).toBe(false)
    expect(() => withNetns(path, (() => Promise.resolve(1)) as unknown as () => never)).toThrow(TypeError)
    expect(here()).toBe(home)
  })

  it('are not made over what exists, and a failure leaves nothing behind', () => {
    expect(() => createNetns(path)).toThrow(/EEXIST/)
    expect(() => withNetns(join(dir, 'none'), here)).toThrow(/ENOENT/)
    expect(() => createNetns(join(dir, 'none/ns'))).toThrow(/ENOENT/)
    fs.writeFileSync(join(dir, 'file'), '')
    expect(() => withNetns(join(dir, 'file'), here)).toThrow(/setns .*EINVAL/)
    expect(here()).toBe(home)
  })

  it('are deleted twice without complaint', () => {
    deleteNetns(path)
    deleteNetns(path)
    expect(fs.readdirSync(dir)).toEqual([])
  })

  it('never catch the pool threads of a program whose first asynchronous call comes inside', () => {
    const program = `
      import fs from 'node:fs'
      import { withNetns } from ${JSON.stringify(new URL('./namespaces.ts', import.meta.url).href)}
      const read = () => fs.promises.readlink('/proc/thread-self/ns/net')
      const all = []
      withNetns(process.argv[1], () => { for (let n = 0; n < 16; n++) all.push(read()); return 0 })
      console.log([...new Set(await Promise.all(all))].join())`
    const output = execFileSync(process.execPath, ['--input-type=module', '-e', program, path], {
      encoding: 'utf8',
    })
    expect(output.trim()).toBe(home)
  })
})
