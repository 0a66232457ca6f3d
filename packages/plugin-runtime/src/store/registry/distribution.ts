/** What a registry has under a name. Source: moby `daemon/server/router/distribution`. @module */
import { type Descriptor, failed, type Platform, type RegistryAuth } from '@kernel/contracts'
import { parseConfig } from '../images/load.ts'
import { familiarName, parseReference, withDefaultTag } from '../reference.ts'
import { RegistryClient, type RegistryOptions } from './client.ts'
import { LARGEST_CONFIG, parseManifest } from './pull.ts'

/** See {@link Images.distribution}. */
export async function inspectDistribution(
  options: RegistryOptions,
  text: string,
  { auth, signal }: { auth?: RegistryAuth; signal?: AbortSignal },
): Promise<{ descriptor: Descriptor; platforms: Platform[] }> {
  const ref = withDefaultTag(parseReference(text))
  const client = new RegistryClient(ref, auth, options)
  const top = await client.manifest(ref.digest ?? ref.tag ?? 'latest', familiarName(ref), signal)
  const document = parseManifest(top)
  const descriptor = { mediaType: top.mediaType, digest: top.digest, size: top.bytes.length }
  if ('manifests' in document)
    return { descriptor, platforms: document.manifests.flatMap(({ platform }) => platform ?? []) }
  const { architecture, os, variant } = parseConfig(await configBytes(client, document.config, signal))
  return { descriptor, platforms: [{ architecture, os, ...(variant && { variant }) }] }
}

async function configBytes(
  client: RegistryClient,
  { digest, size }: Descriptor,
  signal: AbortSignal | undefined,
): Promise<Buffer> {
  const { body } = await client.retried(signal, () => client.openBlob(digest, 0, signal))
  const pieces: Uint8Array[] = []
  let read = 0
  for await (const piece of body) {
    read += piece.length
    if (read > Math.min(size, LARGEST_CONFIG))
      throw failed('the registry sent a configuration that is too long')
    pieces.push(piece)
  }
  return Buffer.concat(pieces)
}
