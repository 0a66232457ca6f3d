/** The edge's parser beside Node's: whatever the edge would pass on must mean the same to both. @module */
import { split, visit } from './grammar.ts'
import { isKnownMethod, type Opinion, Oracle, type SeenRequest } from './oracle.ts'
import { Random } from './random.ts'
import { type Reading, type ReadRequest, readVisit } from './reading.ts'

export interface ParserReport {
  /** Connections; each has a request or more. */
  visits: number
  /** Requests that the edge took whole and would pass on. */
  accepted: number
  /** Connections that the edge has ended with a refusal. */
  refused: number
  /** Requests of which no end came. */
  partial: number
  /** Accepted ones whose method llhttp does not know: an app in Node answers them by 400. */
  strangers: number
  disagreements: Disagreement[]
}

export interface Disagreement {
  what: string
  /** What the visitor sent. */
  bytes: string
  edge: string
  oracle: string
}

const BATCH = 200

/** Judges `count` connections. @param seed the same gives the same */
export async function fuzzParser(seed: number, count: number): Promise<ParserReport> {
  const random = new Random(seed)
  const oracle = new Oracle()
  const report: ParserReport = {
    visits: 0,
    accepted: 0,
    refused: 0,
    partial: 0,
    strangers: 0,
    disagreements: [],
  }
  try {
    while (report.visits < count) {
      const size = Math.min(BATCH, count - report.visits)
      await judge(
        Array.from({ length: size }, () => visit(random)),
        random,
        oracle,
        report,
      )
      report.visits += size
    }
  } finally {
    oracle.close()
  }
  return report
}

async function judge(visits: Buffer[], random: Random, oracle: Oracle, report: ParserReport): Promise<void> {
  const readings = visits.map((bytes) => readVisit([bytes]))
  for (const [n, bytes] of visits.entries()) {
    const parted = readVisit(split(random, bytes))
    if (sketch(readings[n]!) !== sketch(parted))
      report.disagreements.push(
        dispute('where the bytes are split changes their meaning', bytes, readings[n]!, parted),
      )
  }
  const passed = readings.flatMap((reading) => reading.requests.filter(({ whole }) => whole))
  const opinions = await oracle.judge([
    ...visits.map((bytes) => [bytes]),
    ...passed.map(({ wire }) => [wire]),
  ])
  for (const [n, bytes] of visits.entries()) {
    const reading = readings[n]!
    if (reading.refused !== undefined && reading.refused !== 'last') report.refused++
    const complaint = compare(reading, opinions[n]!)
    if (complaint) report.disagreements.push(dispute(complaint, bytes, reading, opinions[n]!))
    report.partial += reading.requests.filter(({ whole }) => !whole).length
  }
  for (const [n, request] of passed.entries()) {
    const opinion = opinions[visits.length + n]!
    report.accepted++
    if (!isKnownMethod(request.head.method)) {
      report.strangers++
      if (opinion.requests.length === 0) continue
    }
    const [only, ...more] = opinion.requests
    const fine = only && more.length === 0 && opinion.error === undefined && isSame(request, only)
    if (fine) continue
    report.disagreements.push(
      dispute(
        'an app sees another request than was passed on',
        request.wire,
        { requests: [request], refused: '' },
        opinion,
      ),
    )
  }
}

/** What the edge would pass on, the oracle must have seen in these very bytes, in this order. */
function compare({ requests }: Reading, opinion: Opinion): string | undefined {
  for (const [n, request] of requests.entries()) {
    if (!request.whole) return undefined
    const last = !isKnownMethod(request.head.method) || request.endsOracle
    const seen = opinion.requests[n]
    if (!seen && last) return undefined
    if (!seen) return `the edge takes a request that the oracle does not see (${opinion.error ?? 'no error'})`
    if (!isSame(request, seen)) return 'edge and oracle see two requests in the same bytes'
    if (last) return undefined
  }
  return undefined
}

function isSame({ head, body }: ReadRequest, seen: SeenRequest): boolean {
  const { authority, target } = originOf(seen)
  // HTTP/1.0 has no Host, and an empty one is given a name on the way.
  const sameHost = head.authority === '' || authority.toLowerCase() === head.authority.toLowerCase()
  return (
    seen.whole &&
    seen.method === head.method &&
    target === head.path &&
    sameHost &&
    (seen.lost || seen.body.equals(body))
  )
}

/** The origin form of a target. */
export function originOf({ target, host }: { target: string; host: string }): {
  authority: string
  target: string
} {
  const absolute = /^https?:\/\/([^/?#]*)(.*)$/i.exec(target)
  if (!absolute) return { authority: host, target }
  const [, authority = '', path = ''] = absolute
  return { authority, target: path.startsWith('/') ? path : `/${path}` }
}

function sketch({ requests, refused }: Reading): string {
  const list = requests.map(({ head, body, whole }) => ({
    ...head,
    body: whole ? body.toString('latin1') : '',
    whole,
  }))
  return JSON.stringify([list, refused])
}

function dispute(what: string, bytes: Buffer, edge: Reading, oracle: Reading | Opinion): Disagreement {
  return { what, bytes: JSON.stringify(bytes.toString('latin1')), edge: brief(edge), oracle: brief(oracle) }
}

function brief(of: Reading | Opinion): string {
  const list = of.requests.map((request) => {
    const body = request.body.toString('latin1')
    if ('head' in request) {
      const { method, authority: host, path: target } = request.head
      return { method, target, host, body, whole: request.whole }
    }
    return { ...request, body }
  })
  return JSON.stringify([list, 'refused' in of ? of.refused : of.error])
}
