/** Who may come in: SSH keys and tokens. @module */
import { defineService } from '@kernel/kernel'

export interface SshKey {
  name: string
  /** `SHA256:...` as ssh-keygen -l prints it. */
  fingerprint: string
  /** `ssh-ed25519 AAAA...`, without comment. */
  publicKey: string
  /** RFC 3339. */
  added: string
}
export interface SshKeys {
  list(): Promise<SshKey[]>
  /** @throws invalid for what is no public key (a private key is named as such); conflict where name or key is taken */
  add(name: string, publicKey: string): Promise<SshKey>
  /** By name or fingerprint. */
  remove(nameOrFingerprint: string): Promise<void>
  /** Where clients reach the SSH server; undefined while it does not listen. */
  address(): Promise<{ host: string; port: number; user: string; hostKeyFingerprint: string } | undefined>
}
export const SshKeys = defineService<SshKeys>('ssh-keys')

export interface TokenInfo {
  id: string
  name: string
  created: string
  lastUsed?: string
}
export interface Tokens {
  /** The secret is shown this once; only its hash is kept. */
  create(name: string): Promise<TokenInfo & { token: string }>
  list(): Promise<TokenInfo[]>
  revoke(idOrName: string): Promise<void>
  /** The token's info, or undefined. Constant time. */
  verify(token: string): Promise<TokenInfo | undefined>
}
export const Tokens = defineService<Tokens>('tokens')
