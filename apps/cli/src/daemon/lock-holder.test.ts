import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { lockFile } from '@kernel/sys'
import { expect, it } from 'vitest'
import { lockHolder } from './lock-holder.ts'

it('tells who holds the data dir, and not who once did', () => {
  const dir = mkdtempSync(join(tmpdir(), 'lock-holder-'))
  try {
    expect(lockHolder(dir)).toBeUndefined()
    const lock = lockFile(join(dir, 'lock'))
    expect(lockHolder(dir)).toBe(process.pid)
    lock.close()
    expect(lockHolder(dir)).toBeUndefined()
    writeFileSync(join(dir, 'lock'), 'rubbish')
    expect(lockHolder(dir)).toBeUndefined()
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
})
