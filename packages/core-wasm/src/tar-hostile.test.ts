import fc from 'fast-check'
import { expect, test } from 'vitest'
import { TAR_END, tarPadding, writeTarHeader } from './tar-header.ts'
import { archiveOf, header, outcome, scan, seal, twin } from './twin/archives.ts'

interface Mutation {
  kind: 'flip' | 'cut' | 'digits' | 'flag' | 'block'
  at: number
  value: number
  sealed: boolean
}

const mutation: fc.Arbitrary<Mutation> = fc.record({
  kind: fc.constantFrom('flip', 'flip', 'cut', 'digits', 'flag', 'block'),
  at: fc.nat(),
  value: fc.nat(255),
  sealed: fc.boolean(),
})

function mutate(archive: Buffer, { kind, at, value, sealed }: Mutation): Buffer {
  const block = (at % (archive.length / 512)) * 512
  if (kind === 'cut') return archive.subarray(0, at % archive.length)
  if (kind === 'flip') archive[at % archive.length]! ^= value
  if (kind === 'flag') archive[block + 156] = 'xgLKSMVX\x0012345670'.charCodeAt(value % 16)
  if (kind === 'block') archive.fill(value % 3 ? 0 : value, block, block + 512)
  if (kind === 'digits') archive[block + [100, 108, 116, 124, 136, 329, 130][at % 7]! + (value % 8)] = value
  if (sealed) seal(archive, block - (block % 512))
  return archive
}

test('hostile archives give the entries or the error of the twin', () => {
  let failed = 0
  let read = 0
  fc.assert(
    fc.property(
      fc.array(header, { minLength: 1, maxLength: 5 }),
      fc.array(mutation, { minLength: 1, maxLength: 4 }),
      fc.integer({ min: 1, max: 3000 }),
      (headers, mutations, chunk) => {
        let archive = archiveOf(headers)
        for (const each of mutations)
          if (archive.length >= 512 && archive.length % 512 === 0) archive = mutate(archive, each)
        const result = outcome(() => scan(archive, chunk))
        expect(result).toEqual(outcome(() => twin(archive)))
        if (Array.isArray(result)) read++
        else failed++
      },
    ),
    { numRuns: 3000 },
  )
  expect(read).toBeGreaterThan(100)
  expect(failed).toBeGreaterThan(100)
})

test('hostile extended headers give the entries or the error of the twin', () => {
  const piece = fc.constantFrom(
    'path=a',
    'path=',
    'size=9',
    'size=-1',
    'uid=1',
    'gid=99999999999',
    'mtime=1.',
    'mtime=-2.5',
    'mtime=.5',
    'mtime=1e3',
    'linkpath=x\0',
    'GNU.sparse.map=1',
    'SCHILY.xattr.a=b',
    'SCHILY.xattr.=b',
    'SCHILY.xattr.é==',
    '=',
    'x',
    'path',
    '',
  )
  const record = fc.oneof(
    {
      weight: 5,
      arbitrary: piece.map(
        (text) => `${Buffer.byteLength(text) + (Buffer.byteLength(text) + 4 > 9 ? 4 : 3)} ${text}\n`,
      ),
    },
    { weight: 1, arbitrary: fc.tuple(fc.nat(30), piece).map(([n, text]) => `${n} ${text}\n`) },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        '99999999999999999999 a=b\n',
        '0000000000000000007 a=b\n',
        '-5 a=b\n',
        ' \n',
        '5 a=b',
      ),
    },
  )
  const extended = fc
    .tuple(fc.constantFrom('x', 'g', 'L', 'K', 'X'), fc.array(record, { maxLength: 5 }))
    .map(([flag, records]) => {
      const body = Buffer.from(records.join(''))
      const block = writeTarHeader({ path: 'p', size: body.length })
      block.write(flag, 156)
      seal(block, 0)
      return Buffer.concat([block, body, Buffer.alloc(tarPadding(body.length))])
    })
  const plain = fc
    .constantFrom('0', '1', '2', '5')
    .map((type) => writeTarHeader({ path: 'file', type, linkpath: 't' }))
  fc.assert(
    fc.property(
      fc.array(fc.oneof(extended, plain), { maxLength: 6 }),
      fc.integer({ min: 1, max: 2000 }),
      (parts, chunk) => {
        const archive = Buffer.concat([...parts, TAR_END])
        expect(outcome(() => scan(archive, chunk))).toEqual(outcome(() => twin(archive)))
      },
    ),
    { numRuns: 3000 },
  )
})

test('random bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 3000 }), fc.boolean(), (bytes, sealed) => {
      const archive = Buffer.from(bytes)
      if (sealed && archive.length >= 512) seal(archive, 0)
      expect(outcome(() => scan(archive, 600))).toEqual(outcome(() => twin(archive)))
    }),
    { numRuns: 1000 },
  )
})
