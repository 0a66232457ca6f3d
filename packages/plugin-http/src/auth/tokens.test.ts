import { openDatabase } from '@kernel/state'
import { describe, expect, it } from 'vitest'
import { createSessions, sessionCookie, setSessionCookie } from './sessions.ts'
import { createTokens } from './tokens.ts'

describe('tokens', () => {
  it('are shown once and kept as hashes', async () => {
    const db = openDatabase(':memory:')
    const tokens = createTokens(db)
    const { token, ...info } = await tokens.create('ci')
    expect(token).toMatch(/^krn_[\w-]{43}$/)
    expect(await tokens.list()).toEqual([info])
    const stored = JSON.stringify(db.all('SELECT * FROM collection_tokens'))
    expect(stored).not.toContain(token)
    expect(stored).not.toContain(token.slice(4))
  })

  it('are known by their secret until they are revoked', async () => {
    const tokens = createTokens(openDatabase(':memory:'))
    const { token, id } = await tokens.create('ci')
    await tokens.create('other')
    expect(await tokens.verify(token)).toMatchObject({ id, name: 'ci' })
    expect(await tokens.verify(`${token}x`)).toBeUndefined()
    expect(await tokens.verify('')).toBeUndefined()
    await tokens.revoke('ci')
    expect(await tokens.verify(token)).toBeUndefined()
    await expect(tokens.revoke('ci')).rejects.toMatchObject({ kind: 'not-found' })
  })

  it('remember when they were used, to the minute', async () => {
    let now = Date.parse('2026-01-01T00:00:00Z')
    const tokens = createTokens(openDatabase(':memory:'), () => now)
    const { token } = await tokens.create('ci')
    now += 30_000
    expect((await tokens.verify(token))?.lastUsed).toBeUndefined()
    now += 60_000
    expect((await tokens.verify(token))?.lastUsed).toBe('2026-01-01T00:01:30.000Z')
  })

  it('have names of their own', async () => {
    const tokens = createTokens(openDatabase(':memory:'))
    await tokens.create('ci')
    await expect(tokens.create('ci')).rejects.toMatchObject({ kind: 'conflict' })
    await expect(tokens.create('no spaces')).rejects.toMatchObject({ kind: 'invalid' })
  })
})

describe('sessions', () => {
  it('last until they expire, are closed, or their token goes', async () => {
    let now = Date.parse('2026-01-01T00:00:00Z')
    const db = openDatabase(':memory:')
    const tokens = createTokens(db, () => now)
    const sessions = createSessions(db, tokens.get, () => now)
    const token = await tokens.create('ada')
    const [first, second, third] = [sessions.open(token), sessions.open(token), sessions.open(token)]
    expect(sessions.verify(first)?.name).toBe('ada')
    expect(JSON.stringify(db.all('SELECT * FROM collection_sessions'))).not.toContain(first)
    sessions.close(first)
    expect(sessions.verify(first)).toBeUndefined()
    now += 31 * 24 * 3600 * 1000
    expect(sessions.verify(second)).toBeUndefined()
    now -= 31 * 24 * 3600 * 1000
    await tokens.revoke('ada')
    expect(sessions.verify(third)).toBeUndefined()
  })

  it('are carried in a cookie that scripts and other sites never get', () => {
    expect(setSessionCookie('s', true)).toBe(
      'kernel_session=s; Path=/; Max-Age=2592000; HttpOnly; SameSite=Strict; Secure',
    )
    expect(sessionCookie('a=b; kernel_session=s')).toBe('s')
    expect(sessionCookie(undefined)).toBeUndefined()
  })
})
