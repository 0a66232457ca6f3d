import type { EngineEvent } from '@kernel/contracts'
import { describe, expect, it } from 'vitest'
import { startDockerServer } from '../testing/docker-server.ts'
import { unixFetch } from '../testing/unix-fetch.ts'
import { matches } from './events.ts'

const event: EngineEvent = {
  Type: 'container',
  Action: 'exec_start: sh -c true',
  Actor: { ID: 'abcdef', Attributes: { name: 'web', image: 'nginx:1.27', tier: 'front' } },
  scope: 'local',
  time: 1,
  timeNano: 1n,
}

describe('filters of events', () => {
  it.each([
    [{ event: ['exec_start'] }],
    [{ event: ['start', 'exec_start'], type: ['container'] }],
    [{ container: ['abc'] }],
    [{ container: ['web'] }],
    [{ image: ['nginx'] }],
    [{ image: ['nginx:1.27'] }],
    [{ label: ['tier', 'tier=front'] }],
    [{}],
  ])('let it pass: %j', (filters: Record<string, string[]>) => {
    expect(matches(event, filters)).toBe(true)
  })

  it.each([
    [{ event: ['exec'] }],
    [{ type: ['image'] }],
    [{ container: ['db'] }],
    [{ image: ['ngin'] }],
    [{ label: ['tier=back'] }],
    [{ container: ['web'], event: ['die'] }],
  ])('keep it back: %j', (filters: Record<string, string[]>) => {
    expect(matches(event, filters)).toBe(false)
  })

  it('have known names', async () => {
    const { socketPath } = await startDockerServer()
    const filters = encodeURIComponent('{"colour":["red"]}')
    const answer = await unixFetch(socketPath, 'GET', `/events?filters=${filters}`)
    expect([answer.status, answer.json()]).toEqual([400, { message: "invalid filter 'colour'" }])
  })
})
