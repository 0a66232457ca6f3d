import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import os from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { conmonEnd } from './conmon-end.ts'

let bundle: string
beforeEach(() => {
  bundle = fs.mkdtempSync(join(os.tmpdir(), 'bundle-'))
})
afterEach(() => fs.rmSync(bundle, { recursive: true }))

test('waits for the process that is on record', async () => {
  const child = spawn('sh', ['-c', 'read line', 'the-container'], { stdio: ['pipe', 'ignore', 'ignore'] })
  fs.writeFileSync(join(bundle, 'conmon.pid'), `${child.pid}`)
  let over = false
  const end = conmonEnd(bundle, 'the-container').then(() => {
    over = true
  })
  await new Promise((resolve) => setImmediate(resolve))
  expect(over).toBe(false)
  child.stdin.end()
  await once(child, 'exit')
  await end
})

test('waits for nobody where there is none, or where another has its number', async () => {
  await conmonEnd(bundle, 'the-container')
  fs.writeFileSync(join(bundle, 'conmon.pid'), `${process.pid}`)
  await conmonEnd(bundle, 'no-container-of-this-name')
})
