import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ensureDir, readJson, removeTree, sweepTemp, writeFileAtomic, writeJson } from './files.ts'

let dir: string
beforeEach(() => {
  dir = fs.mkdtempSync(join(tmpdir(), 'state-files-'))
})
afterEach(() => fs.rmSync(dir, { recursive: true }))

const modeOf = (path: string) => fs.statSync(path).mode & 0o7777

describe('writeFileAtomic', () => {
  it('replaces content and mode, and leaves nothing else', async () => {
    const path = join(dir, 'f')
    await writeFileAtomic(path, 'one')
    expect(modeOf(path)).toBe(0o600)
    await writeFileAtomic(path, Buffer.from('two'), { mode: 0o666 })
    expect(fs.readFileSync(path, 'utf8')).toBe('two')
    expect(modeOf(path)).toBe(0o666) // whatever the umask
    expect(fs.readdirSync(dir)).toEqual(['f'])
  })

  it('takes a stream, and keeps the old content when the stream fails', async () => {
    const path = join(dir, 'f')
    await writeFileAtomic(path, 'old')
    async function* broken() {
      yield Buffer.from('half')
      throw new Error('connection lost')
    }
    await expect(writeFileAtomic(path, broken())).rejects.toThrow('connection lost')
    expect(fs.readFileSync(path, 'utf8')).toBe('old')
    expect(fs.readdirSync(dir)).toEqual(['f'])
  })

  it('writes under names as long as a file system takes', async () => {
    const path = join(dir, 'ü'.repeat(127))
    await writeFileAtomic(path, 'x')
    expect(fs.readFileSync(path, 'utf8')).toBe('x')
  })
})

describe('readJson', () => {
  it('reads what writeJson wrote, and knows a missing file', async () => {
    await writeJson(join(dir, 'f'), { a: [1] })
    expect(await readJson(join(dir, 'f'))).toEqual({ a: [1] })
    expect(await readJson(join(dir, 'none'))).toBeUndefined()
  })

  it('names the file that it cannot use', async () => {
    fs.writeFileSync(join(dir, 'f'), '{')
    await expect(readJson(join(dir, 'f'))).rejects.toThrow(`${join(dir, 'f')} cannot be used`)
    fs.writeFileSync(join(dir, 'f'), '1')
    const parse = () => {
      throw new Error('expected an object')
    }
    await expect(readJson(join(dir, 'f'), { schema: { parse } })).rejects.toThrow('expected an object')
  })
})

describe('ensureDir', () => {
  it('makes parents, and sets the mode each time', async () => {
    const path = join(dir, 'a/b')
    await ensureDir(path)
    expect(modeOf(path)).toBe(0o700)
    await ensureDir(path, 0o755)
    expect(modeOf(path)).toBe(0o755)
  })
})

describe('removeTree', () => {
  it('removes everything in a directory but nothing that links lead to', async () => {
    fs.mkdirSync(join(dir, 'outside'))
    fs.writeFileSync(join(dir, 'outside/kept'), '')
    fs.mkdirSync(join(dir, 'tree/deep'), { recursive: true })
    fs.symlinkSync(join(dir, 'outside'), join(dir, 'tree/deep/link'))
    await removeTree(join(dir, 'tree'))
    expect(fs.readdirSync(dir)).toEqual(['outside'])
    fs.symlinkSync(join(dir, 'outside'), join(dir, 'link'))
    await removeTree(join(dir, 'link'))
    expect(fs.readdirSync(dir)).toEqual(['outside'])
    expect(fs.readdirSync(join(dir, 'outside'))).toEqual(['kept'])
  })

  it('does not mind a missing path, and refuses the root', async () => {
    await removeTree(join(dir, 'none'))
    await expect(removeTree('/')).rejects.toThrow('refused')
  })

  it.runIf(fs.existsSync('/proc/self/mountinfo'))('refuses a tree with a mount in it', async () => {
    await expect(removeTree('/proc')).rejects.toThrow('still mounted')
  })
})

describe('sweepTemp', () => {
  it('removes what an earlier run left, files and trees, and nothing else', async () => {
    const left = '.f.0123abcd.0123456789ab.tmp'
    fs.writeFileSync(join(dir, left), '')
    fs.mkdirSync(join(dir, '.tree.0123abcd.ba9876543210.tmp/deep'), { recursive: true })
    fs.writeFileSync(join(dir, '.other.tmp'), '')
    fs.writeFileSync(join(dir, 'f'), '')
    expect((await sweepTemp(dir)).length).toBe(2)
    expect(fs.readdirSync(dir).sort()).toEqual(['.other.tmp', 'f'])
  })

  it('leaves alone what this run is writing', async () => {
    let inside: string[] = []
    async function* slow() {
      yield Buffer.from('a')
      inside = await sweepTemp(dir)
      yield Buffer.from('b')
    }
    await writeFileAtomic(join(dir, 'f'), slow())
    expect(inside).toEqual([])
    expect(fs.readFileSync(join(dir, 'f'), 'utf8')).toBe('ab')
  })
})
