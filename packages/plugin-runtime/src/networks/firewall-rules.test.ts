import { expect, test } from 'vitest'
import {
  type BridgeRules,
  bridgeCommands,
  type PortRule,
  portCommands,
  renderTable,
} from './firewall-rules.ts'
import { instanceNames } from './names.ts'

const front: BridgeRules = { link: 'kb1', subnet: '10.0.0.0/24', internal: false, masquerade: true }
const back: BridgeRules = { link: 'kb2', subnet: '10.0.1.0/24', internal: true, masquerade: true }
const web: PortRule = {
  protocol: 'tcp',
  hostIp: '0.0.0.0',
  hostPort: 8080,
  containerPort: 80,
  address: '10.0.0.2',
}
const local: PortRule = { ...web, protocol: 'udp', hostIp: '127.0.0.1', hostPort: 53 }

test('the table replaces the old one in its own transaction, and never drops what is not ours', () => {
  const text = renderTable('kernel_x', [front, back], [web, local])
  expect(text).toMatch(/^table ip kernel_x \{\}\ndelete table ip kernel_x\ntable ip kernel_x \{/)
  expect(text).not.toContain('policy drop')
  const forward = text.slice(text.indexOf('chain forward')).split('\n')
  expect(forward[2]).toBe('    iifname != @bridges oifname != @bridges accept')
  expect(text).toContain('set internal { type ifname; elements = { "kb2" } }')
  expect(text).toContain('set masqueraded { type ipv4_addr; flags interval; elements = { 10.0.0.0/24 } }')
  expect(text).toContain('elements = { tcp . 8080 : 10.0.0.2 . 80 }')
  expect(text).toContain('elements = { 127.0.0.1 . udp . 53 : 10.0.0.2 . 80 }')
})

test('ports open and close by one line', () => {
  expect(portCommands('t', 'add', [web, local])).toBe(
    'add element ip t ports { tcp . 8080 : 10.0.0.2 . 80 }; add element ip t ports_at { 127.0.0.1 . udp . 53 : 10.0.0.2 . 80 }',
  )
  expect(portCommands('t', 'delete', [web])).toBe('delete element ip t ports { tcp . 8080 }')
  expect(portCommands('t', 'add', [])).toBe('')
})

test('a bridge comes and goes with all its places', () => {
  expect(bridgeCommands('t', 'add', front)).toContain('add element ip t masqueraded { 10.0.0.0/24 }')
  expect(bridgeCommands('t', 'delete', back)).toBe(
    'delete element ip t bridges { "kb2" }; delete element ip t within { "kb2" . "kb2" }; ' +
      'delete element ip t home { 10.0.1.0/24 . "kb2" }; delete element ip t internal { "kb2" }',
  )
})

test('names of an instance fit, differ, and are known again', () => {
  const a = instanceNames('0123456789ab')
  const b = instanceNames('fedcba98')
  const id = 'f'.repeat(64)
  for (const name of [a.defaultBridge, a.bridgeOf(id), a.vethOf(id)])
    expect(name.length).toBeLessThanOrEqual(15)
  expect(a.ownsBridge(a.bridgeOf(id)) && a.ownsBridge(a.defaultBridge) && a.ownsVeth(a.vethOf(id))).toBe(true)
  expect(b.ownsBridge(a.bridgeOf(id)) || b.ownsBridge(a.defaultBridge) || b.ownsVeth(a.vethOf(id))).toBe(
    false,
  )
  expect(() => instanceNames('../x')).toThrow('not an instance hash')
})
