import type { Config } from './config.ts'

export interface Deployed {
  app: string
  release: string
  urls: string[]
}

/** @throws where the webhook can't be reached, is too slow, or answers with an error */
export async function tellWebhook(
  deployed: Deployed,
  { webhook, webhookToken, timeoutSec }: Config,
  stop: AbortSignal,
): Promise<void> {
  if (webhook === undefined) return
  const answer = await fetch(webhook, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(webhookToken !== undefined && { authorization: `Bearer ${webhookToken}` }),
    },
    body: JSON.stringify(deployed),
    signal: AbortSignal.any([stop, AbortSignal.timeout(timeoutSec * 1000)]),
  })
  await answer.body?.cancel()
  if (!answer.ok) throw new Error(`the webhook answered ${answer.status}`)
}
