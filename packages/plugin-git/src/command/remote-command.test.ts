import { describe, expect, it } from 'vitest'
import { parseRemoteCommand } from './remote-command.ts'

describe('parseRemoteCommand', () => {
  it.each([
    "git-receive-pack 'blog'",
    "git-receive-pack '/blog'",
    "git-receive-pack '/blog.git'",
    "git-receive-pack '~/blog.git/'",
    "git-receive-pack '/~/blog'",
    'git receive-pack blog',
  ])('takes %s', (line) => {
    expect(parseRemoteCommand(line)).toEqual({ kind: 'git', service: 'receive-pack', app: 'blog' })
  })

  it('tells fetches from pushes', () => {
    expect(parseRemoteCommand("git-upload-pack 'a.b-c'")).toMatchObject({
      service: 'upload-pack',
      app: 'a.b-c',
    })
  })

  it.each([
    "git-receive-pack '../x'",
    "git-receive-pack '/etc/x'",
    "git-receive-pack ''",
    "git-receive-pack '.git'",
  ])('refuses %s', (line) => {
    expect(() => parseRemoteCommand(line)).toThrow('is not the name of an app')
  })

  it.each([
    ["git-upload-archive 'blog'", 'not offered'],
    ['git', 'not offered'],
    ['git-receive-pack', 'one app'],
    ["git-receive-pack 'a' 'b'", 'one app'],
    ['x'.repeat(200_000), 'too long'],
    ['apps:list \0', 'character'],
  ])('refuses %.30s', (line, said) => {
    expect(() => parseRemoteCommand(line)).toThrow(said)
  })

  it.each([
    ['apps:list', ['apps:list']],
    ['kernel apps:list', ['apps:list']],
    ['dokku apps:list --quiet', ['apps:list', '--quiet']],
    ['kernel', ['help']],
    ['run kernel ls', ['run', 'kernel', 'ls']],
  ])('takes %s as a command', (line, argv) => {
    expect(parseRemoteCommand(line)).toEqual({ kind: 'kernel', argv })
  })
})
