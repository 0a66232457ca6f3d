/** A key pair with its own list of known hosts, away from the user's. @module */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { must } from './run.ts'

export class SshKey {
  readonly file: string
  readonly sshArgs: string[]

  private constructor(dir: string) {
    this.file = join(dir, 'id_ed25519')
    this.sshArgs = [
      ...['-F', 'none', '-i', this.file, '-o', 'IdentitiesOnly=yes', '-o', 'BatchMode=yes'],
      ...['-o', `UserKnownHostsFile=${join(dir, 'known_hosts')}`, '-o', 'StrictHostKeyChecking=accept-new'],
      ...['-o', 'LogLevel=ERROR'],
    ]
  }

  static async create(dir: string): Promise<SshKey> {
    mkdirSync(dir, { recursive: true, mode: 0o700 })
    const key = new SshKey(dir)
    await must('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'e2e', '-f', key.file])
    return key
  }

  get publicFile(): string {
    return `${this.file}.pub`
  }

  /** For GIT_SSH_COMMAND, which a shell reads; no path of a test has a quote in it. */
  get command(): string {
    return ['ssh', ...this.sshArgs].map((word) => `'${word}'`).join(' ')
  }
}
