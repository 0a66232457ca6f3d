/** ADD from a URL. @module */
import { failed, invalid } from '@kernel/contracts'

const largest = 2 ** 31

export interface Download {
  name: string
  content: Uint8Array
  mtime?: Date
}

export const isUrl = (source: string) => /^https?:\/\//.test(source)

/** @throws invalid, failed */
export async function download(url: string, signal?: AbortSignal): Promise<Download> {
  const { pathname } = new URL(url)
  const name = decodeURIComponent(pathname.split('/').at(-1) ?? '')
  if (name === '' || name.includes('/')) throw invalid(`cannot determine filename from url: ${url}`)
  const answer = await fetch(url, { signal }).catch((error: Error) => {
    throw failed(`ADD ${url} failed: ${(error.cause as Error | undefined)?.message ?? error.message}`, {
      cause: error,
    })
  })
  if (!answer.ok) throw failed(`ADD ${url} failed: the server answered ${answer.status}`)
  const pieces: Uint8Array[] = []
  let size = 0
  for await (const piece of answer.body ?? []) {
    size += piece.length
    if (size > largest) throw failed(`ADD ${url} failed: it is larger than 2 GiB`)
    pieces.push(piece)
  }
  const modified = answer.headers.get('last-modified')
  return { name, content: Buffer.concat(pieces), ...(modified ? { mtime: new Date(modified) } : {}) }
}
