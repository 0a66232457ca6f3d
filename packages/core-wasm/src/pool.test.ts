import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { TarError } from './errors.ts'
import { packLayer } from './pack-layer.ts'
import { createLayerPool, type LayerPool } from './pool.ts'
import { TAR_END, writeTarHeader } from './tar-header.ts'
import { scanTarFile } from './tar-scanner.ts'

let dir = ''
let pool: LayerPool
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'core-wasm-pool-'))
  mkdirSync(join(dir, 'root/a'), { recursive: true })
  for (let i = 0; i < 500; i++) writeFileSync(join(dir, `root/a/${i}`), `${i}`)
  pool = createLayerPool({ threads: 2 })
})
afterAll(async () => {
  await pool.destroy()
  rmSync(dir, { recursive: true, force: true })
})

test('jobs in threads give what the functions give here', async () => {
  const root = join(dir, 'root')
  const [here, there] = [join(dir, 'here.tar'), join(dir, 'there.tar')]
  const xattrs = new Map([['a', new Map([['user.x', Buffer.from('1')]])]])
  const packed = await packLayer({ root, out: here, xattrs })
  expect(await pool.packLayer({ root, out: there, xattrs })).toEqual(packed)
  expect(readFileSync(here).equals(readFileSync(there))).toBe(true)
  expect(await pool.digestFile(there)).toEqual({ digest: packed.digest, size: packed.size })
  const entries = await pool.scan(there)
  expect(entries.columns).toEqual(scanTarFile(here).columns)
  expect(entries.path(1)).toBe('a/0')
  const gone = join(dir, 'gone.tar')
  writeFileSync(gone, Buffer.concat([writeTarHeader({ path: 'a/.wh.7' }), TAR_END]))
  expect(await pool.diff([here], [there, gone])).toMatchObject([{ kind: 'delete', path: 'a/7' }])
})

test('failures keep their class and code', async () => {
  const broken = join(dir, 'broken.tar')
  writeFileSync(broken, Buffer.concat([writeTarHeader({ path: 'a' }), Buffer.alloc(512, 'x')]))
  const here = (() => {
    try {
      return scanTarFile(broken)
    } catch (error) {
      return error as TarError
    }
  })() as TarError
  const there = (await pool.scan(broken).catch((error) => error)) as TarError
  expect(there).toBeInstanceOf(TarError)
  expect([there.code, there.offset, there.message]).toEqual(['checksum', 512, here.message])
  await expect(pool.scan(broken, { maxEntries: 0 })).rejects.toMatchObject({ code: 'checksum' })
  await expect(pool.scan(join(dir, 'missing'))).rejects.toMatchObject({ code: 'ENOENT', syscall: 'open' })
  await expect(pool.packLayer({ root: dir, out: join(dir, 'no/out') })).rejects.toMatchObject({
    code: 'ENOENT',
  })
})

test('a job that is called off ends, and the pool goes on', async () => {
  const signal = AbortSignal.abort()
  await expect(pool.digestFile('/dev/zero', { signal })).rejects.toThrow()
  const endless = new AbortController()
  const job = pool.digestFile('/dev/zero', { signal: endless.signal })
  setTimeout(() => endless.abort(), 50)
  await expect(job).rejects.toThrow()
  expect((await pool.digestFile(join(dir, 'root/a/7'))).size).toBe(1)
})
