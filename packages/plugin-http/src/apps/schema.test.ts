import { z } from '@hono/zod-openapi'
import type { SshKey } from '@kernel/contracts'
import { expect, it } from 'vitest'
import { mirrors, sshKey } from './schema.ts'

it('compares schemas with the contracts, both ways', () => {
  const fields = { name: z.string(), fingerprint: z.string(), publicKey: z.string(), added: z.string() }
  expect(mirrors<SshKey>()('Same', z.object(fields)).parse(sshKey.parse({ ...one })).name).toBe('laptop')
  // @ts-expect-error a field of the contract is missing here
  mirrors<SshKey>()('Less', z.object({ name: z.string() }))
  // @ts-expect-error the contract has no such field
  mirrors<SshKey>()('More', z.object({ ...fields, more: z.string() }))
})

const one = {
  name: 'laptop',
  fingerprint: 'SHA256:x',
  publicKey: 'ssh-ed25519 A',
  added: '2026-01-01T00:00:00Z',
}
