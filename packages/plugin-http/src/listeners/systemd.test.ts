import { describe, expect, it } from 'vitest'
import { passedSockets, selectPassed } from './systemd.ts'

describe('sockets passed by systemd', () => {
  const env = { LISTEN_PID: '42', LISTEN_FDS: '2', LISTEN_FDNAMES: 'api:dashboard' }

  it('counts from descriptor 3 and takes the names along', () => {
    expect(passedSockets(env, 42)).toEqual([
      { fd: 3, name: 'api' },
      { fd: 4, name: 'dashboard' },
    ])
  })

  it('leaves those of another process alone', () => {
    expect(passedSockets(env, 43)).toEqual([])
    expect(passedSockets({}, 42)).toEqual([])
  })

  it('selects by nothing, number or name', () => {
    const sockets = passedSockets(env, 42)
    expect(selectPassed(sockets, '')).toHaveLength(2)
    expect(selectPassed(sockets, '4')).toEqual([{ fd: 4, name: 'dashboard' }])
    expect(selectPassed(sockets, 'api')).toEqual([{ fd: 3, name: 'api' }])
    expect(() => selectPassed(sockets, 'web')).toThrow('there are: 3 (api), 4 (dashboard)')
  })
})
