import { describe, expect, it } from 'vitest'
import { parseProcfile, processTypes } from './procfile.ts'

describe('parseProcfile', () => {
  it('reads types, comments and odd line ends', () => {
    const text =
      '\uFEFF# what runs\r\nweb:   node server.js --at http://x:1\r\n\r\nworker_2: ./work\rrelease: ./migrate\n'
    expect(parseProcfile(text)).toEqual({
      web: 'node server.js --at http://x:1',
      worker_2: './work',
      release: './migrate',
    })
  })
  it.each([
    ['', 1, 'it is empty'],
    ['# only this\n\n', 1, 'it is empty'],
    ['web: a\n\nnode server.js\n', 3, 'has no ":"'],
    ['web: a\nworker:\n', 2, 'has no command'],
    ['my web: a\n', 1, 'is no process type'],
    ['web: a\nweb: b\n', 2, 'is there twice'],
    [': a\n', 1, 'is no process type'],
    ['web/../x: a\n', 1, 'is no process type'],
  ])('%j: line %i', (text, line, why) => {
    expect(() => parseProcfile(text)).toThrow(new RegExp(`^Invalid Procfile, line ${line}: .*${why}`))
  })
  it('takes a type by any name that objects have', () => {
    expect(parseProcfile('constructor: a\n__proto__: b\n'.replace('__proto__', 'toString'))).toEqual({
      constructor: 'a',
      toString: 'b',
    })
  })
})

describe('processTypes', () => {
  it.each([
    [{}, ['web']],
    [{ web: 'a', release: 'b' }, ['web']],
    [{ worker: 'a' }, ['worker']],
    [{ release: 'b' }, []],
  ])('%j', (procfile, types) => {
    expect(processTypes(procfile as Record<string, string>)).toEqual(types)
  })
})
