import type { Descriptor, Platform } from '@kernel/contracts'
import { expect, test } from 'vitest'
import { chooseManifest, parsePlatform } from './platform.ts'

const entry = (platform?: Platform, annotations?: Record<string, string>): Descriptor => ({
  mediaType: 'm',
  digest: `sha256:${JSON.stringify(platform)}`,
  size: 1,
  ...(platform && { platform }),
  ...(annotations && { annotations }),
})
const linux = (architecture: string, variant?: string) =>
  entry({ os: 'linux', architecture, ...(variant && { variant }) })

test.each([
  ['amd64', { os: 'linux', architecture: 'amd64' }],
  ['linux/x86_64', { os: 'linux', architecture: 'amd64' }],
  ['linux/arm/v6', { os: 'linux', architecture: 'arm', variant: 'v6' }],
  ['windows/amd64', { os: 'windows', architecture: 'amd64' }],
])('%s', (text, platform) => {
  expect(parsePlatform(text)).toEqual(platform)
})

test('nonsense is refused', () => {
  for (const text of ['', 'a/b/c/d', 'linux/$x'])
    expect(() => parsePlatform(text)).toThrow('invalid platform')
})

test('of several that fit the best is taken, and attestations never', () => {
  const list = [
    linux('arm', 'v5'),
    linux('arm', 'v7'),
    linux('arm', 'v6'),
    linux('arm64', 'v8'),
    linux('amd64'),
  ]
  expect(chooseManifest(list, parsePlatform('linux/arm/v6'))).toBe(list[2])
  expect(chooseManifest(list, parsePlatform('linux/arm'))).toBe(list[1])
  expect(chooseManifest(list, parsePlatform('arm64'))).toBe(list[3])
  expect(chooseManifest(list, parsePlatform('s390x'))).toBeUndefined()
  const attestation = entry(
    { os: 'linux', architecture: 'amd64' },
    { 'vnd.docker.reference.type': 'attestation-manifest' },
  )
  expect(chooseManifest([attestation, list[4]!], parsePlatform('amd64'))).toBe(list[4])
  expect(chooseManifest([entry()], parsePlatform('amd64'))?.platform).toBeUndefined()
})
