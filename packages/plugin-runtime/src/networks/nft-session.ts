import { type ChildProcess, spawn } from 'node:child_process'
import { failed } from '@kernel/contracts'
import { findProgram, runProgram } from '../host/programs.ts'

/** A process that has nothing to do for so long is sent home: it holds 5 MB. */
const IDLE_MS = 30_000
const ANSWER_MS = 10_000

/**
 * Speaks to nftables. Single commands go through one long-lived `nft -i` (half a millisecond each, against
 * eight for a process of its own), whole tables through `nft -f -`.
 */
export class NftSession {
  private child: ChildProcess | undefined
  private errors = ''
  private onErrors: (() => void) | undefined
  private tail: Promise<void> = Promise.resolve()
  private counter = 0
  private idle: NodeJS.Timeout | undefined

  /**
   * Runs one line of commands as one transaction, after all earlier ones.
   * @throws failed with nft's own words
   */
  command(line: string): Promise<void> {
    if (line === '') return Promise.resolve()
    const done = this.tail.then(() => this.exchange(line))
    this.tail = done.catch(() => {})
    return done
  }

  /** Applies a script as one transaction. @throws failed */
  script(text: string): Promise<void> {
    const done = this.tail.then(() => applyScript(text))
    this.tail = done.catch(() => {})
    return done
  }

  async close(): Promise<void> {
    await this.tail
    this.stop()
  }

  private async exchange(line: string): Promise<void> {
    clearTimeout(this.idle)
    const child = this.running()
    this.errors = ''
    // nft says nothing when all is well. A word that it cannot know comes back in an error message on the
    // same stream as all other errors, in order: what stands before it belongs to our line.
    const marker = `done_${++this.counter}`
    const pattern = new RegExp(`Error: [^\\n]*\\n${marker}\\n *\\^+\\n`)
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const timer = setTimeout(() => {
      this.stop()
      reject(
        failed('nft does not answer', {
          hint: 'Look whether another program holds the rules: ps ax | grep nft',
        }),
      )
    }, ANSWER_MS)
    this.onErrors = () => {
      const at = pattern.exec(this.errors)
      if (at) {
        const before = this.errors.slice(0, at.index).trim()
        before === '' ? resolve() : reject(nftError(before))
      } else if (child.exitCode !== null || child.signalCode !== null) {
        this.child = undefined
        reject(failed(`nft ended unexpectedly: ${this.errors.trim() || 'no message'}`))
      }
    }
    child.stdin?.write(`${line}\n${marker}\n`)
    try {
      await promise
    } finally {
      clearTimeout(timer)
      this.onErrors = undefined
      this.idle = setTimeout(() => this.stop(), IDLE_MS).unref()
    }
  }

  private running(): ChildProcess {
    if (this.child) return this.child
    const child = spawn(findProgram('nft') ?? 'nft', ['-i'], {
      stdio: ['pipe', 'ignore', 'pipe'],
      // It would keep what we say as a person's history in the home folder.
      env: { ...process.env, HOME: '/dev/null' },
    })
    child.stdin.on('error', () => {})
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (this.child !== child) return
      this.errors += text
      this.onErrors?.()
    })
    child.on('error', (error) => {
      if (this.child !== child) return
      this.errors += error.message
      this.onErrors?.()
    })
    child.on('close', () => {
      if (this.child !== child) return
      this.onErrors?.()
      this.child = undefined
    })
    this.child = child
    return child
  }

  /** It ends at the end of its input. */
  private stop(): void {
    clearTimeout(this.idle)
    this.child?.stdin?.end()
    this.child = undefined
  }
}

async function applyScript(text: string): Promise<void> {
  const { code, stderr } = await runProgram(findProgram('nft') ?? 'nft', ['-f', '-'], {
    input: text,
    timeoutMs: ANSWER_MS,
  })
  if (code !== 0) throw nftError(stderr.trim() || `nft ended with code ${code}`)
}

function nftError(words: string): Error {
  const reason = /Error: (.*)/.exec(words)?.[1] ?? words
  return failed(`nftables refused a change: ${reason}`, {
    cause: new Error(words),
    hint: 'Run `kernel doctor`',
  })
}
