import type { EngineEvent } from '@kernel/contracts'
import { openDatabase } from '@kernel/state'

/** The events that were kept, in the order of publishing. */
export interface Journal {
  /** Number of the last event; 0 before the first. */
  readonly last: bigint
  /** Time of the last event in ns since 1970; 0 before the first. */
  readonly lastTime: bigint
  /** Takes an event in; it reaches the disk within a moment, together with its neighbours. */
  append(event: EngineEvent): bigint
  /** Up to `limit` events (none once it is closed) that come after number `after`, not before `since` (ns). */
  page(after: bigint, since: bigint, limit: number): Array<{ seq: bigint; event: EngineEvent }>
  close(): void
}

interface Row {
  seq: bigint
  time: bigint
  body: string
}

/** A write costs the same for one event as for many: they wait this long for each other. */
const BATCH_MS = 100
const BATCH_EVENTS = 256

/**
 * Opens the journal. The database is synchronous NORMAL and written in batches: a kill may take the last tenth
 * of a second, which is the right price for what is a notice and never a state.
 * @param options.keep how many events are kept; somewhat more may be on disk for a while
 * @param options.onError told of a write that failed (a full disk); the events of that batch are lost
 */
export function openJournal(options: {
  file: string
  keep: number
  onError: (error: unknown) => void
}): Journal {
  const db = openDatabase(options.file, {
    sync: 'normal',
    bigints: true,
    migrations: [
      'CREATE TABLE events (seq INTEGER PRIMARY KEY, time INTEGER NOT NULL, body TEXT NOT NULL) STRICT',
    ],
  })
  const newest = db.get<Row>('SELECT seq, time FROM events ORDER BY seq DESC LIMIT 1')
  let last = newest?.seq ?? 0n
  let lastTime = newest?.time ?? 0n
  let trimmedAt = 0n
  let waiting: Array<{ seq: bigint; event: EngineEvent }> = []
  let closed = false
  let timer: NodeJS.Timeout | undefined

  function flush(): void {
    clearTimeout(timer)
    timer = undefined
    if (waiting.length === 0) return
    const batch = waiting
    waiting = []
    try {
      db.transaction(() => {
        for (const { seq, event } of batch) {
          const { Type, Action, Actor } = event
          const body = JSON.stringify({ Type, Action, Actor })
          db.run('INSERT INTO events VALUES (?, ?, ?)', seq, event.timeNano, body)
        }
        trim()
      })
    } catch (error) {
      options.onError(error)
    }
  }

  /** Now and then, not with every batch. */
  function trim(): void {
    const keep = BigInt(options.keep)
    if (last - trimmedAt < keep / 4n + 1n) return
    db.run('DELETE FROM events WHERE seq <= ?', last - keep)
    trimmedAt = last
  }

  return {
    get last() {
      return last
    },
    get lastTime() {
      return lastTime
    },
    append(event) {
      last += 1n
      lastTime = event.timeNano
      waiting.push({ seq: last, event })
      if (waiting.length >= BATCH_EVENTS) flush()
      else timer ??= setTimeout(flush, BATCH_MS).unref()
      return last
    },
    page(after, since, limit) {
      if (closed) return []
      flush()
      const rows = db.all<Row>(
        'SELECT * FROM events WHERE seq > ? AND time >= ? ORDER BY seq LIMIT ?',
        after,
        since,
        limit,
      )
      return rows.map((row) => ({ seq: row.seq, event: toEvent(row) }))
    },
    close() {
      flush()
      closed = true
      db.close()
    },
  }
}

function toEvent(row: Row): EngineEvent {
  const body = JSON.parse(row.body) as Pick<EngineEvent, 'Type' | 'Action' | 'Actor'>
  return { ...body, scope: 'local', time: Number(row.time / 1_000_000_000n), timeNano: row.time }
}
