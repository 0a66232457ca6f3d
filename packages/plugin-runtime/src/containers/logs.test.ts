import fs from 'node:fs'
import os from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { logFiles, logPolicyOf, rotateLog } from './log-files.ts'
import { LineJoiner, nanosOf, parseLogLine } from './log-line.ts'
import { readLog } from './log-reader.ts'
import { tailPosition } from './log-tail.ts'

const at = (second: number) => `2026-11-21T00:00:${String(second).padStart(2, '0')}.000000001+00:00`

describe('parseLogLine', () => {
  test('reads time, stream, tag and text', () => {
    const line = parseLogLine(Buffer.from('2026-11-21T01:02:03.000000009+02:00 stderr P half a line'))
    expect(line).toMatchObject({ time: '2026-11-20T23:02:03.000000009Z', stream: 2, partial: true })
    expect(line?.text.toString()).toBe('half a line')
    expect(nanosOf('1970-01-01T00:00:01.000000002Z')).toBe(1_000_000_002n)
  })

  test.for([
    '',
    'garbage',
    '2026-11-21T01:02:03.1+00:00 stdin F x',
    '2026-11-21T01:02:03.1+00:00 stdout X y',
  ])('drops what is no line: %s', (text) => {
    expect(parseLogLine(Buffer.from(text))).toBeUndefined()
  })

  test('puts pieces together again, each stream for itself', () => {
    const joiner = new LineJoiner()
    const add = (text: string) => joiner.add(parseLogLine(Buffer.from(text))!)
    expect(add(`${at(1)} stdout P one `)).toBeUndefined()
    expect(String(add(`${at(2)} stderr F error`)?.data)).toBe('error\n')
    const joined = add(`${at(3)} stdout F two`)
    expect(String(joined?.data)).toBe('one two\n')
    expect(joined?.time).toBe('2026-11-21T00:00:01.000000001Z')
    add(`${at(4)} stdout P no newline`)
    expect(joiner.rest().map(({ data }) => String(data))).toEqual(['no newline'])
  })
})

describe('logPolicyOf', () => {
  test('is bounded unless told otherwise', () => {
    expect(logPolicyOf(undefined)).toEqual({ driver: 'file', maxSize: 10 << 20, maxFile: 3 })
    expect(logPolicyOf({ Type: 'local', Config: { 'max-size': '1.5k', 'max-file': '2' } })).toEqual({
      driver: 'file',
      maxSize: 1536,
      maxFile: 2,
    })
    expect(logPolicyOf({ Type: 'json-file', Config: { 'max-size': '-1' } }).maxSize).toBe(
      Number.POSITIVE_INFINITY,
    )
    expect(logPolicyOf({ Type: 'none' }).driver).toBe('none')
    expect(() => logPolicyOf({ Type: 'splunk' })).toThrow(
      "logger: no log driver named 'splunk' is registered",
    )
    expect(() => logPolicyOf({ Config: { 'max-size': 'big' } })).toThrow(/invalid size/)
    expect(() => logPolicyOf({ Config: { 'max-file': '0' } })).toThrow(/max-file cannot be less than 1/)
  })
})

describe('a log of several files', () => {
  let dir: string
  let path: string
  beforeEach(() => {
    dir = fs.mkdtempSync(join(os.tmpdir(), 'log-'))
    path = join(dir, 'x.log')
  })
  afterEach(() => fs.rmSync(dir, { recursive: true }))
  const write = (...lines: string[]) => fs.appendFileSync(path, lines.map((line) => `${line}\n`).join(''))
  const both = () => true
  const read = async (options: Parameters<typeof readLog>[1], stopped?: Promise<unknown>) => {
    const texts: string[] = []
    for await (const { data } of readLog(path, options, stopped))
      texts.push(Buffer.from(data).toString().trim())
    return texts
  }

  test('is read in order, with the oldest dropped', async () => {
    for (let round = 1; round <= 4; round++) {
      write(`${at(round)} stdout F line ${round}`)
      if (round < 4) rotateLog(path, 3)
    }
    expect(logFiles(path)).toEqual([`${path}.2`, `${path}.1`, path])
    expect(await read({})).toEqual(['line 2', 'line 3', 'line 4'])
    expect(await read({ tail: 2 })).toEqual(['line 3', 'line 4'])
    expect(await read({ tail: 99 })).toEqual(['line 2', 'line 3', 'line 4'])
    expect(await read({ since: nanosOf('2026-11-21T00:00:03.000000001Z') })).toEqual(['line 3', 'line 4'])
    expect(await read({ until: nanosOf('2026-11-21T00:00:03.000000001Z') })).toEqual(['line 2', 'line 3'])
  })

  test('counts whole lines from the end, over blocks and pieces', () => {
    const long = 'x'.repeat(50_000)
    for (let index = 0; index < 10; index++) write(`${at(1)} stdout P ${long}`, `${at(1)} stdout F ${index}`)
    write(`${at(2)} stderr F e`, `${at(3)} stdout P open`)
    const position = (count: number) => tailPosition([path], count, both)?.offset
    const text = fs.readFileSync(path, 'utf8')
    expect(text.slice(position(1)).startsWith(`${at(3)} stdout P open`)).toBe(true)
    expect(text.slice(position(2)).startsWith(`${at(2)} stderr F e`)).toBe(true)
    expect(text.slice(position(4)).split(long).length - 1).toBe(2)
    expect(position(100)).toBe(0)
    expect(tailPosition([path], 1, (stream) => stream === 2)?.offset).toBe(text.indexOf(`${at(2)} stderr`))
    expect(position(0)).toBeUndefined()
  })

  test('is followed over rotations until the end, nothing twice and nothing lost', async () => {
    write(`${at(0)} stdout F 0`)
    const stopped = Promise.withResolvers<void>()
    const following = read({ follow: true }, stopped.promise)
    for (let index = 1; index <= 60; index++) {
      write(`${at(index % 60)} stdout F ${index}`)
      if (index % 20 === 0) rotateLog(path, 9)
      if (index % 5 === 0) await new Promise((resolve) => setTimeout(resolve, 5))
    }
    write(`${at(59)} stdout F last`)
    stopped.resolve()
    expect(await following).toEqual([...Array.from({ length: 61 }, (_, index) => String(index)), 'last'])
  })

  test('gives up following when nobody listens any more', async () => {
    write(`${at(0)} stdout F 0`)
    const abort = new AbortController()
    const texts: string[] = []
    for await (const { data } of readLog(
      path,
      { follow: true, signal: abort.signal },
      new Promise(() => {}),
    )) {
      texts.push(Buffer.from(data).toString().trim())
      abort.abort()
    }
    expect(texts).toEqual(['0'])
  })
})
