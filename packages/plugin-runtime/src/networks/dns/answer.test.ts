import dnsPacket, { type Question } from 'dns-packet'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { answerQuery, failure, RCODE } from './answer.ts'
import { NameTable } from './name-table.ts'

const table = new NameTable()
table.add('net', ['web', 'www'], '10.0.0.2')
table.add('net', ['web2', 'www'], '10.0.0.3')
for (let i = 0; i < 100; i++) table.add('net', ['many'], `10.0.1.${i}`)
const names = {
  addresses: (name: string) => table.addresses('net', name),
  nameOf: (address: string) => table.nameOf('net', address),
}

const query = (name: string, type: Question['type'] = 'A') =>
  dnsPacket.encode({ type: 'query', id: 77, flags: dnsPacket.RECURSION_DESIRED, questions: [{ type, name }] })

function answer(bytes: Buffer, tcp = false) {
  const found = answerQuery(bytes, names, tcp)
  if (!Buffer.isBuffer(found)) return found
  const packet = dnsPacket.decode(found) as dnsPacket.DecodedPacket & { rcode: string }
  return { id: packet.id, rcode: packet.rcode, truncated: packet.flag_tc, answers: packet.answers ?? [] }
}

describe('answers', () => {
  test('names lead to addresses, whatever their case', () => {
    expect(answer(query('Web'))).toMatchObject({
      id: 77,
      rcode: 'NOERROR',
      answers: [{ type: 'A', name: 'Web', data: '10.0.0.2' }],
    })
  })

  test('a shared name gives all its addresses, each first in turn', () => {
    const first = () => (answer(query('www')) as { answers: Array<{ data: string }> }).answers[0]?.data
    expect(new Set([first(), first()])).toEqual(new Set(['10.0.0.2', '10.0.0.3']))
  })

  test('other types of our names are empty, not unknown', () => {
    expect(answer(query('web', 'AAAA'))).toMatchObject({ rcode: 'NOERROR', answers: [] })
    expect(answer(query('web', 'MX'))).toMatchObject({ rcode: 'NOERROR', answers: [] })
  })

  test('addresses lead back to names', () => {
    expect(answer(query('2.0.0.10.in-addr.arpa', 'PTR'))).toMatchObject({ answers: [{ data: 'web' }] })
    expect(answer(query('9.9.9.9.in-addr.arpa', 'PTR'))).toBe('forward')
  })

  test('what we do not know is passed on', () => {
    expect(answer(query('example.com'))).toBe('forward')
    expect(answer(query('web.example.com'))).toBe('forward')
  })

  test('too much for UDP is truncated, for TCP not', () => {
    expect(answer(query('many'))).toMatchObject({ truncated: true, answers: [] })
    const whole = answer(query('many'), true) as { answers: unknown[] }
    expect(whole.answers).toHaveLength(100)
  })

  test('responses and scraps get no answer; what is broken gets an error', () => {
    const response = dnsPacket.encode({ type: 'response', id: 1, questions: [{ type: 'A', name: 'web' }] })
    expect(answer(response)).toBeUndefined()
    expect(answer(Buffer.alloc(5))).toBeUndefined()
    expect(answer(query('web').subarray(0, 14))).toMatchObject({ id: 77, rcode: 'FORMERR' })
    const failed = dnsPacket.decode(failure(query('web'), RCODE.SERVFAIL)) as unknown as { rcode: string }
    expect(failed).toMatchObject({ id: 77, rcode: 'SERVFAIL', questions: [{ name: 'web' }] })
  })

  test('no bytes make it throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        const found = answerQuery(Buffer.from(bytes), names, false)
        return found === undefined || found === 'forward' || found.length >= 12
      }),
    )
  })

  test('a name that is removed is gone, another under it stays', () => {
    const own = new NameTable()
    own.add('net', ['a', 'shared'], '10.0.0.1')
    own.add('net', ['b', 'shared'], '10.0.0.2')
    own.remove('net', ['a', 'shared'], '10.0.0.1')
    expect(own.addresses('net', 'a')).toEqual([])
    expect(own.addresses('net', 'shared')).toEqual(['10.0.0.2'])
    expect(own.nameOf('net', '10.0.0.1')).toBeUndefined()
    expect(own.addresses('other', 'b')).toEqual([])
  })
})
