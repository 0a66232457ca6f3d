import fs from 'node:fs'
import os from 'node:os'
import { join } from 'node:path'
import { makeWhiteout, setOpaque } from '@kernel/sys'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { changes } from './changes.ts'

describe.skipIf(process.getuid?.() !== 0)('what an upper folder changes', () => {
  let dir: string
  beforeEach(() => {
    dir = fs.mkdtempSync(join(os.tmpdir(), 'changes-'))
    for (const layer of ['bottom', 'middle', 'upper']) fs.mkdirSync(join(dir, layer))
  })
  afterEach(() => fs.rmSync(dir, { recursive: true }))

  const at = (layer: string, path: string) => {
    fs.mkdirSync(join(dir, layer, path, '..'), { recursive: true })
    return join(dir, layer, path)
  }
  const file = (layer: string, path: string) => fs.writeFileSync(at(layer, path), layer)
  const folder = (layer: string, path: string) => fs.mkdirSync(at(layer, path), { recursive: true })
  const found = () =>
    changes({ upper: join(dir, 'upper'), lower: [join(dir, 'middle'), join(dir, 'bottom')] }).map(
      ({ Path, Kind }) => `${'CAD'[Kind]} ${Path}`,
    )

  test('is nothing where nothing is', () => {
    file('bottom', 'a/f')
    expect(found()).toEqual([])
  })

  test('is told against what the layers have together', () => {
    file('bottom', 'a/kept')
    file('bottom', 'a/gone-before')
    makeWhiteout(at('middle', 'a/gone-before'))
    file('middle', 'b/f')
    file('upper', 'a/kept')
    file('upper', 'a/gone-before')
    makeWhiteout(at('upper', 'b/f'))
    // Deleting what a layer had deleted already is nothing.
    makeWhiteout(at('middle', 'c'))
    file('bottom', 'c')
    makeWhiteout(at('upper', 'c'))
    expect(found()).toEqual(['C /a', 'A /a/gone-before', 'C /a/kept', 'C /b', 'D /b/f'])
  })

  test('sees through folders that hide those below', () => {
    file('bottom', 'old/x')
    file('bottom', 'old/deep/y')
    folder('middle', 'old')
    setOpaque(at('middle', 'old'))
    file('middle', 'old/z')
    file('upper', 'old/x')
    file('upper', 'old/deep/y')
    expect(found()).toEqual(['C /old', 'A /old/deep', 'A /old/deep/y', 'A /old/x'])
  })

  test('tells of what a folder that was made anew lacks', () => {
    file('bottom', 'd/one')
    file('middle', 'd/two')
    file('middle', 'd/three')
    folder('upper', 'd')
    setOpaque(at('upper', 'd'))
    file('upper', 'd/two')
    expect(found()).toEqual(['C /d', 'D /d/one', 'D /d/three', 'C /d/two'])
  })

  test('tells a folder that itself is as it was from one that is not', () => {
    folder('bottom', 'same')
    folder('bottom', 'mode')
    file('bottom', 'was-a-file')
    folder('upper', 'same')
    folder('upper', 'mode')
    folder('upper', 'was-a-file')
    for (const layer of ['bottom', 'upper'])
      for (const path of ['same', 'mode']) fs.utimesSync(at(layer, path), 1_700_000_000, 1_700_000_000)
    fs.chmodSync(at('upper', 'mode'), 0o700)
    expect(found()).toEqual(['C /mode', 'C /was-a-file'])
  })
})
