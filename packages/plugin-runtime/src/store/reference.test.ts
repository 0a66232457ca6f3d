import { expect, test } from 'vitest'
import { familiarName, fullName, parseReference, withDefaultTag } from './reference.ts'

const full = (text: string) => fullName(withDefaultTag(parseReference(text)))
const hex = 'a'.repeat(64)

test.each([
  ['busybox', 'docker.io/library/busybox:latest', 'busybox:latest'],
  ['foo/bar:1', 'docker.io/foo/bar:1', 'foo/bar:1'],
  ['index.docker.io/library/x', 'docker.io/library/x:latest', 'x:latest'],
  ['localhost/x', 'localhost/x:latest', 'localhost/x:latest'],
  ['127.0.0.1:5000/a/b:v1', '127.0.0.1:5000/a/b:v1', '127.0.0.1:5000/a/b:v1'],
  ['ghcr.io/a/b__c:x', 'ghcr.io/a/b__c:x', 'ghcr.io/a/b__c:x'],
  [`busybox@sha256:${hex}`, `docker.io/library/busybox@sha256:${hex}`, `busybox@sha256:${hex}`],
  [`busybox:1@sha256:${hex}`, `docker.io/library/busybox:1@sha256:${hex}`, `busybox:1@sha256:${hex}`],
])('%s is recorded as %s and shown as %s', (text, whole, short) => {
  expect(full(text)).toBe(whole)
  expect(familiarName(parseReference(whole))).toBe(short)
})

test.each(['', ':tag', 'a//b', 'a:b:c', 'x@sha256:12', '-a', 'a..b', 'a:_!', '../a', 'a/../b', '/a'])(
  '%j is refused',
  (text) => expect(() => parseReference(text)).toThrow('invalid reference format'),
)

test('upper case and bare hex ids get their own words', () => {
  expect(() => parseReference('Foo')).toThrow('repository name (library/Foo) must be lowercase')
  expect(() => parseReference(hex)).toThrow('cannot specify 64-byte hexadecimal strings')
})
