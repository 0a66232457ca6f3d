/** Fetches a blob so that a broken connection, or a killed program, loses nothing that has arrived. @module */
import { createHash, type Hash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import fs from 'node:fs/promises'
import { type Descriptor, failed } from '@kernel/contracts'
import type { Content } from '../content.ts'
import type { RegistryClient } from './client.ts'

/**
 * Fetches, verifies and stores a blob. What is in the partial file is hashed again and the rest asked for.
 * @throws failed where the registry sends something else than the digest says: all of it is thrown away
 */
export async function downloadBlob(
  content: Content,
  client: RegistryClient,
  { digest, size }: Descriptor,
  report: (current: number) => void,
  signal?: AbortSignal,
): Promise<void> {
  if (content.has(digest)) return
  const path = content.partialPath(digest)
  let state = await resume(path, size)
  await client.retried(signal, async () => {
    if (state.size < size || size === 0)
      state = await fetchRest(client, path, { digest, size }, state, report, signal)
  })
  const found = state.hash.digest('hex')
  if (`sha256:${found}` !== digest) {
    await fs.rm(path, { force: true })
    throw failed(
      `filesystem layer verification failed for digest ${digest}: the registry sent sha256:${found}`,
    )
  }
  await content.install(path, digest, size)
}

interface State {
  hash: Hash
  size: number
}

/** Hashes what has arrived earlier; a file longer than the blob is not one of its beginnings. */
async function resume(path: string, size: number): Promise<State> {
  const hash = createHash('sha256')
  const arrived = await fs.stat(path).catch(() => undefined)
  if (!arrived || arrived.size > size) {
    await fs.writeFile(path, '', { mode: 0o600 })
    return { hash, size: 0 }
  }
  for await (const piece of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(piece as Buffer)
  return { hash, size: arrived.size }
}

async function fetchRest(
  client: RegistryClient,
  path: string,
  { digest, size }: Pick<Descriptor, 'digest' | 'size'>,
  state: State,
  report: (current: number) => void,
  signal: AbortSignal | undefined,
): Promise<State> {
  const { body, partial } = await client.openBlob(digest, state.size, signal)
  // A registry without ranges sends everything: start over.
  if (!partial && state.size > 0) Object.assign(state, { hash: createHash('sha256'), size: 0 })
  const file = await fs.open(path, partial ? 'r+' : 'w', 0o600)
  try {
    for await (const piece of body) {
      if (state.size + piece.length > size)
        throw failed(`the registry sent more than the ${size} bytes of ${digest} that its manifest says`)
      for (let done = 0; done < piece.length; )
        done += (await file.write(piece, done, piece.length - done, state.size + done)).bytesWritten
      state.hash.update(piece)
      state.size += piece.length
      report(state.size)
    }
  } finally {
    await file.close()
  }
  if (state.size < size)
    throw Object.assign(failed(`the registry sent only ${state.size} of the ${size} bytes of ${digest}`), {
      passing: true,
    })
  return state
}
