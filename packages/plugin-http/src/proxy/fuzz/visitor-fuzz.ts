/** A running edge before an app in Node: fuzzed connections, and what of them comes through. @module */
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { split, visit } from './grammar.ts'
import { openApp, openLab } from './lab.ts'
import { isKnownMethod, Oracle, type SeenRequest } from './oracle.ts'
import { type Disagreement, originOf } from './parser-fuzz.ts'
import { Random } from './random.ts'
import { type Reading, readVisit } from './reading.ts'

export interface VisitorReport {
  connections: number
  /** Requests that came to the app, whole. */
  served: number
  /** Connections at whose end a refusal stood. */
  refused: number
  /** Connections that got fewer answers than were due, within the time for them. */
  unanswered: number
  crashes: string[]
  disagreements: Disagreement[]
}

/** Connections at a time; each comes from an address of its own, by which the app tells them apart. */
const LANES = 16
const BATCH = 320
const ANSWER_MS = 10_000

interface Served extends Pick<SeenRequest, 'method' | 'target' | 'body'> {}

export async function fuzzVisitors(seed: number, count: number): Promise<VisitorReport> {
  const random = new Random(seed)
  const oracle = new Oracle()
  const lab = await openLab({ settings: { headersTimeoutMs: 60_000 } })
  const served = new Map<string, Served[]>()
  const app = await openApp((req, res) => {
    const body: Buffer[] = []
    req.on('error', () => {}).on('data', (piece: Buffer) => body.push(piece))
    req.on('end', () => {
      const lane = String(req.headers['x-forwarded-for'])
      const one = { method: req.method ?? '', target: req.url ?? '', body: Buffer.concat(body) }
      if (req.complete) (served.get(lane) ?? served.set(lane, []).get(lane)!).push(one)
      res.end('served\n')
    })
  })
  await lab.lead('', app.port)
  const report: VisitorReport = {
    connections: 0,
    served: 0,
    refused: 0,
    unanswered: 0,
    crashes: lab.crashes(),
    disagreements: [],
  }

  async function judge(
    lane: string,
    bytes: Buffer,
    seen: readonly SeenRequest[],
    pieces: Buffer[],
  ): Promise<void> {
    const reading = readVisit([bytes])
    const whole = reading.requests.filter((request) => request.whole)
    const refused = reading.refused !== undefined && reading.refused !== 'last'
    const due = whole.length + (refused ? 1 : 0)
    served.delete(lane)
    const answers = await send(lab.port, lane, pieces, due)
    const came = served.get(lane) ?? []
    report.served += came.length
    if (refused) report.refused++
    if (answers.count < due && !answers.closed) report.unanswered++
    const complaint = compare(came, reading, seen)
    if (complaint === undefined) return
    const edge = JSON.stringify(came.map((one) => ({ ...one, body: one.body.toString('latin1') })))
    const other = JSON.stringify(seen.map((one) => ({ ...one, body: one.body.toString('latin1') })))
    report.disagreements.push({
      what: complaint,
      bytes: JSON.stringify(bytes.toString('latin1')),
      edge,
      oracle: other,
    })
  }

  try {
    while (report.connections < count) {
      const size = Math.min(BATCH, count - report.connections)
      const visits = Array.from({ length: size }, () => visit(random))
      const pieces = visits.map((bytes) => (random.chance(0.7) ? [bytes] : split(random, bytes)))
      const opinions = await oracle.judge(visits.map((bytes) => [bytes]))
      let next = 0
      const lanes = Array.from({ length: LANES }, async (_, lane) => {
        for (let n = next++; n < size; n = next++)
          await judge(`127.0.1.${lane + 1}`, visits[n]!, opinions[n]!.requests, pieces[n]!)
      })
      await Promise.all(lanes)
      report.connections += size
    }
  } finally {
    await lab.close()
    app.close()
    oracle.close()
  }
  return report
}

/** The app may see what the edge has read and nothing else; and of that what the oracle has seen as well. */
function compare(
  came: readonly Served[],
  reading: Reading,
  seen: readonly SeenRequest[],
): string | undefined {
  const passed = reading.requests.filter(({ whole, head }) => whole && isKnownMethod(head.method))
  if (came.length > passed.length) return 'the app sees a request that nobody sent'
  for (const [n, one] of came.entries()) {
    const { head, body } = passed[n]!
    if (one.method !== head.method || one.target !== head.path || !one.body.equals(body))
      return 'the app sees another request than the edge has read'
  }
  // Only up to where the oracle stops, for reasons that are not the message's.
  for (const [n, request] of reading.requests.entries()) {
    if (!request.whole || n >= came.length || !isKnownMethod(request.head.method) || request.endsOracle)
      return undefined
    const twin = seen[n]
    const one = came[n]!
    if (!twin?.whole || twin.method !== one.method || originOf(twin).target !== one.target)
      return 'the app sees a request that the oracle does not see'
    if (!twin.lost && !twin.body.equals(one.body)) return 'the app sees another body than the oracle'
  }
  return undefined
}

/** Sends the pieces and waits for the answers that are due, or for the end of the connection. */
async function send(
  port: number,
  localAddress: string,
  pieces: readonly Buffer[],
  due: number,
): Promise<{ count: number; closed: boolean }> {
  let text = ''
  let closed = false
  let wake = () => {}
  const socket: Socket = connect({ port, host: '127.0.0.1', localAddress, noDelay: true })
  socket.on('error', () => {})
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1')
    wake()
  })
  socket.on('close', () => {
    closed = true
    wake()
  })
  const count = () => text.match(/HTTP\/1\.1 [2-9]\d\d /g)?.length ?? 0
  for (const [n, piece] of pieces.entries()) {
    socket.write(piece)
    // A turn between two, so that not all arrive as one.
    if (n % 8 === 7) await new Promise(setImmediate)
  }
  let late = false
  const timer = setTimeout(() => {
    late = true
    wake()
  }, ANSWER_MS)
  while (!closed && !late && count() < due)
    await new Promise<void>((resolve) => {
      wake = resolve
    })
  clearTimeout(timer)
  // What is smuggled is answered behind what was due.
  if (!closed) await sleep(2)
  socket.destroy()
  return { count: count(), closed }
}
