/** What is in use before a record refers to it: garbage collection leaves it alone. @module */

/** A finished layer waits this long for the image that is to name it, in milliseconds. */
const FRESH = 3_600_000

export class Holds {
  private readonly counts = new Map<string, number>()
  private readonly fresh = new Map<string, number>()

  /** Holds ids until the answer is called (once). */
  hold(ids: Iterable<string>): () => void {
    const held = [...ids]
    for (const id of held) this.counts.set(id, (this.counts.get(id) ?? 0) + 1)
    let open = true
    return () => {
      if (!open) return
      open = false
      for (const id of held) {
        const count = (this.counts.get(id) ?? 1) - 1
        if (count === 0) this.counts.delete(id)
        else this.counts.set(id, count)
      }
    }
  }

  /** A layer was made for a caller who has yet to put it into an image. */
  markFresh(id: string): void {
    this.fresh.set(id, Date.now())
  }

  /** An image refers to it now. */
  unmarkFresh(ids: Iterable<string>): void {
    for (const id of ids) this.fresh.delete(id)
  }

  has(id: string): boolean {
    const since = this.fresh.get(id)
    if (since !== undefined && Date.now() - since > FRESH) this.fresh.delete(id)
    return this.counts.has(id) || this.fresh.has(id)
  }
}
