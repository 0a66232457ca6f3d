import { z } from '@hono/zod-openapi'
import { empty, json } from './operation.ts'
import { newToken, sshKey, tokenInfo } from './schema.ts'
import type { ApiServices } from './services.ts'

/** Who may come in. */
export function accessOperations({ keys, tokens }: ApiServices) {
  return {
    sshKeysList: json(z.array(sshKey), {}, () => keys.list()),
    sshKeysAdd: json(sshKey, { body: z.object({ name: z.string(), publicKey: z.string() }) }, ({ body }) =>
      keys.add(body.name, body.publicKey),
    ),
    sshKeysRemove: empty({}, ({ params }) => keys.remove(params.key)),
    tokensList: json(z.array(tokenInfo), {}, () => tokens.list()),
    tokensCreate: json(newToken, { body: z.object({ name: z.string() }) }, ({ body }) =>
      tokens.create(body.name),
    ),
    tokensRevoke: empty({}, ({ params }) => tokens.revoke(params.token)),
  }
}
