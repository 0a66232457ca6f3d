import { koffi } from './libc.ts'

type PollHandle = ReturnType<ReturnType<typeof koffi>['node']['poll']>

/** What a descriptor is waited for. */
export interface Wanted {
  readable?: boolean
  writable?: boolean
}

/**
 * Tells through the event loop, without a thread, when a descriptor is ready. Level-triggered: it is told
 * again until the reason is gone. Nothing is waited for before {@link Readiness.want}.
 */
export class Readiness {
  private readonly poll: PollHandle
  private readonly ready: () => void
  private wanted = 0
  private told = false
  private closed = false

  constructor(fd: number, ready: () => void) {
    this.ready = ready
    this.poll = koffi().node.poll(fd, { readable: true }, () => {})
    this.poll.stop()
  }

  /** Says anew what is waited for; nothing at all lets the process end. */
  want({ readable = false, writable = false }: Wanted): void {
    const wanted = (readable ? 1 : 0) | (writable ? 2 : 0)
    if (wanted === this.wanted || this.closed) return
    this.wanted = wanted
    if (wanted === 0) this.poll.stop()
    else this.poll.start({ readable, writable }, () => this.tell())
  }

  /** Stops for good; the descriptor can be closed afterwards. */
  close(): void {
    if (this.closed) return
    this.closed = true
    this.poll.stop()
    this.poll.close()
  }

  /**
   * koffi calls from outside of Node's own callbacks, after which neither promises nor `nextTick` would run
   * until something else happens in the process. An immediate runs at the end of the same turn of the loop,
   * and they run after it.
   */
  private tell(): void {
    if (this.told) return
    this.told = true
    setImmediate(() => {
      this.told = false
      if (!this.closed && this.wanted !== 0) this.ready()
    })
  }
}
