/** The server's own key. @module */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { failed } from '@kernel/contracts'
import { ensureDir, writeFileAtomic } from '@kernel/state'
import ssh2 from 'ssh2'
import { fingerprintOf } from '../access/public-key.ts'

export interface HostKey {
  /** OpenSSH's private key format. */
  privateKey: string
  /** `SHA256:...` */
  fingerprint: string
}

/**
 * Reads `<dataDir>/ssh/host_ed25519`, made at the first start (0600) and never changed afterwards: every client
 * would warn of an attack.
 * @throws failed where the file is no key; it is not replaced
 */
export async function hostKey(dataDir: string, generate = generatePair): Promise<HostKey> {
  const dir = join(dataDir, 'ssh')
  const file = join(dir, 'host_ed25519')
  await ensureDir(dir)
  let privateKey: string
  try {
    privateKey = await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    const pair = soundPair(generate)
    privateKey = pair.private
    await writeFileAtomic(`${file}.pub`, `${pair.public}\n`, { mode: 0o644 })
    await writeFileAtomic(file, privateKey)
  }
  const parsed = ssh2.utils.parseKey(privateKey)
  if (parsed instanceof Error || !parsed.isPrivateKey())
    throw failed(
      `${file} is no private key: ${parsed instanceof Error ? parsed.message : 'it is a public one'}`,
      {
        hint: 'Restore it from a backup. If it is deleted, a new one is made, and every client has to trust that.',
      },
    )
  return { privateKey, fingerprint: fingerprintOf(parsed.getPublicSSH()) }
}

const generatePair = () => ssh2.utils.generateKeyPairSync('ed25519', { comment: 'kernel' })

/** ssh2 cuts leading zero bytes off the public half: one pair in 256 is malformed, and another is made. */
function soundPair(generate: typeof generatePair): ReturnType<typeof generatePair> {
  for (;;) {
    const pair = generate()
    if (!(ssh2.utils.parseKey(pair.private) instanceof Error)) return pair
  }
}
