import { expect, it } from 'vitest'
import { AcmeChallenges } from './acme-challenges.ts'

const challenges = new AcmeChallenges([
  { type: 'http-01', host: 'A.example.com', token: 'tok-1', keyAuthorization: 'tok-1.thumb' },
  { type: 'tls-alpn-01', host: 'b.example.com', certificate: 'pem', key: 'pem' },
])

it.each([
  ['a.example.com', '/.well-known/acme-challenge/tok-1', 'tok-1.thumb'],
  ['b.example.com', '/.well-known/acme-challenge/tok-1', undefined],
  ['a.example.com', '/.well-known/acme-challenge/tok-2', undefined],
  ['a.example.com', '/.well-known/acme-challenge/', undefined],
  ['a.example.com', '/.well-known/acme-challenge/tok-1/', undefined],
  ['a.example.com', '/.well-known/acme-challenge/tok-1?x=1', undefined],
  ['a.example.com', '/tok-1', undefined],
])('%s %s is answered %s', (host, target, answer) => expect(challenges.find(host, target)).toBe(answer))

it('counts only what it answers, so that none is asked for nothing', () => {
  expect(challenges.size).toBe(1)
  expect(new AcmeChallenges([]).find('a.example.com', '/.well-known/acme-challenge/tok-1')).toBeUndefined()
})
