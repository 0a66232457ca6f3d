import { spawn } from 'node:child_process'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { collection } from './collection.ts'
import { sweepTemp } from './files.ts'
import { openDatabase } from './open-database.ts'

let dir: string
beforeEach(() => {
  dir = fs.mkdtempSync(join(tmpdir(), 'state-kill-'))
})
afterEach(() => fs.rmSync(dir, { recursive: true }))

const source = (name: string) => JSON.stringify(new URL(name, import.meta.url).href)

/** Runs a program that prints a line for each thing done, and kills it after `lines` of them. */
function killAfter(program: string, lines: number): Promise<number[]> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text) => {
    output += text
    if (output.split('\n').length > lines) child.kill('SIGKILL')
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (_, signal) => {
      if (signal !== 'SIGKILL') return reject(new Error('the program ended before it was killed'))
      resolve(output.split('\n').slice(0, -1).map(Number)) // what follows the last newline was cut off
    })
  })
}

describe('a process killed while it writes', () => {
  it('loses no commit that it acknowledged', async () => {
    const file = join(dir, 'state.db')
    const acknowledged: number[] = []
    for (const [round, lines] of [1, 40, 7, 150, 400].entries()) {
      const program = `
        import { writeSync } from 'node:fs'
        import { openDatabase } from ${source('./open-database.ts')}
        import { collection } from ${source('./collection.ts')}
        const db = openDatabase(${JSON.stringify(file)})
        const store = collection(db, 'records')
        for (let n = ${round * 1_000_000}; ; n++) {
          db.transaction(() => {
            store.put('first-' + n, { n, filler: 'x'.repeat(n % 5000) })
            store.put('second-' + n, { n })
          })
          writeSync(1, n + '\\n')
        }`
      const seen = await killAfter(program, lines)
      expect(seen.length).toBeGreaterThanOrEqual(lines)
      acknowledged.push(...seen)
    }
    using db = openDatabase(file)
    const store = collection<{ n: number }>(db, 'records')
    expect(acknowledged.filter((n) => store.get(`first-${n}`)?.n !== n)).toEqual([])
    expect(store.keys('first-').length).toBe(store.keys('second-').length)
    expect(db.get<{ integrity_check: string }>('PRAGMA integrity_check')?.integrity_check).toBe('ok')
  }, 60_000)

  it('leaves whole files, and leftovers that are swept', async () => {
    const path = join(dir, 'settings.json')
    for (const lines of [1, 30, 60]) {
      const program = `
        import { writeSync } from 'node:fs'
        import { writeFileAtomic } from ${source('./files.ts')}
        for (let n = 0; ; n++) {
          await writeFileAtomic(${JSON.stringify(path)}, JSON.stringify({ n, filler: 'x'.repeat(200_000) }))
          writeSync(1, n + '\\n')
        }`
      const seen = await killAfter(program, lines)
      const found = JSON.parse(fs.readFileSync(path, 'utf8'))
      expect(found.filler.length).toBe(200_000)
      expect(found.n).toBeGreaterThanOrEqual(seen.at(-1) as number)
    }
    await sweepTemp(dir)
    expect(fs.readdirSync(dir)).toEqual(['settings.json'])
  }, 60_000)
})
