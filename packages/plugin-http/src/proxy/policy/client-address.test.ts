import { expect, it } from 'vitest'
import { clientAddress } from './client-address.ts'

const trusted = (address: string) => address.startsWith('10.')

it.each([
  [undefined, '10.0.0.1'],
  ['192.0.2.7', '192.0.2.7'],
  ['203.0.113.9, 192.0.2.7', '192.0.2.7'],
  ['203.0.113.9, 192.0.2.7, 10.0.0.2', '192.0.2.7'],
  ['10.0.0.3, 10.0.0.2', '10.0.0.3'],
  ['192.0.2.7:4711', '192.0.2.7'],
  ['[2001:db8::1]:4711', '2001:db8::1'],
  [' 2001:db8::1 ', '2001:db8::1'],
  ['unknown', '10.0.0.1'],
  ['192.0.2.7, unknown', '10.0.0.1'],
  ['', '10.0.0.1'],
])('from %j it is %s', (header, client) => expect(clientAddress('10.0.0.1', header, trusted)).toBe(client))
