/** The life of one request, from its head to the last byte of its answer. @module */
import { randomUUID } from 'node:crypto'
import { STATUS_CODES } from 'node:http'
import type { SitePolicy } from '@kernel/contracts'
import { NO_BODY } from '../http1/framing.ts'
import type { RequestHead } from '../http1/request-head.ts'
import type { RoutedTarget } from '../messages.ts'
import { Attempt, type AttemptOwner } from './attempt.ts'
import type { Guard, Verdict } from './guard.ts'
import type { Reason } from './pages.ts'
import type { Site } from './site.ts'
import type { Failure } from './target-connection.ts'
import type { Visitor } from './visitor.ts'

/** Methods that may be sent twice where it is unknown whether the first was heard. RFC 9110 9.2.2. */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'])
/** The rest of a request that made no sense, or never comes, cannot be told from the next one. */
const ENDS_CONNECTION = new Set<Reason>(['bad-request', 'visitor-slow', 'coding', 'body-too-large'])
const NOTHING = Buffer.alloc(0)
const NONE_TRIED: ReadonlySet<number> = new Set()

export class Visit implements AttemptOwner {
  readonly requestId: string
  app = ''
  bodyWhole: boolean
  readonly #site: Site
  readonly #visitor: Visitor
  readonly #head: RequestHead
  readonly #start = performance.now()
  #guard: Guard | undefined
  /** Places of targets that could not be reached. */
  #tried: Set<number> | undefined
  #attempt: Attempt | undefined
  #repeated = false
  #heldUntil = 0
  /** When no target was left. */
  #goneSince = 0
  #stopWaiting: (() => void) | undefined
  /** Bytes of the request's body. */
  #received = 0
  #over = false

  constructor(site: Site, visitor: Visitor, head: RequestHead) {
    this.#site = site
    this.#visitor = visitor
    this.#head = head
    this.requestId = head.requestId ?? randomUUID()
    this.bodyWhole = head.length === NO_BODY
  }

  get policy(): SitePolicy | undefined {
    return this.#guard?.policy
  }

  begin(): void {
    const { host, path } = this.#head
    const proof = this.#site.certificates.keyAuthorization(host, path)
    if (proof === undefined) this.#route()
    else this.#answer(200, 'OK', 'Content-Type: application/octet-stream\r\n', Buffer.from(proof))
  }

  // --- where to ------------------------------------------------------------------------------------------------

  #route(): void {
    const { host, path } = this.#head
    const found = this.#site.targets.take(host, path, this.#tried ?? NONE_TRIED, this.#guard)
    this.app = found.app
    switch (found.kind) {
      case 'target':
        this.#attempt = new Attempt(this, this.#site, this.#visitor, this.#head, found.target)
        this.#attempt.begin(this.#isRepeatable())
        break
      case 'guard':
        this.#ask(found.guard)
        break
      case 'wait':
        this.#hold(found.generation)
        break
      case 'exhausted':
        this.#outlast(found.generation)
        break
      default:
        this.#page(found.kind)
    }
  }

  /** A process that has just died is still in the routes: new ones, or none, are a moment away. */
  #outlast(generation: number): void {
    const now = performance.now()
    this.#goneSince ||= now
    const left = Math.max(0, this.#goneSince + this.#site.settings.goneMs - now)
    this.#wait(generation, left, 'unreachable')
  }

  #ask(guard: Guard): void {
    const verdict = guard.check(this.#head, this.#visitor.peer)
    if (!(verdict instanceof Promise)) {
      this.#obey(guard, verdict)
      return
    }
    verdict.then(
      (late) => {
        if (!this.#over) this.#obey(guard, late)
      },
      (error: Error) => {
        this.#site.warn('A visitor could not be checked', { app: this.app, error: error.message })
        this.#page('unreachable')
      },
    )
  }

  #obey(guard: Guard, verdict: Verdict): void {
    this.#guard = guard
    if (verdict === undefined) this.#route()
    else if ('location' in verdict) this.#redirect(verdict.status, verdict.location)
    else this.#page(verdict.reason, verdict.fields)
  }

  #hold(generation: number): void {
    const now = performance.now()
    this.#heldUntil ||= now + this.#site.settings.holdTimeoutMs
    this.#wait(generation, Math.max(0, this.#heldUntil - now), 'held')
  }

  /** For routes that are newer than those of `generation`. @param late what to answer where none come */
  #wait(generation: number, ms: number, late: Reason): void {
    this.#stopWaiting = this.#site.gate.wait(generation, ms, (outcome) => {
      this.#stopWaiting = undefined
      if (this.#over) return
      // Targets that refused belong to the routes before the wait.
      this.#tried = undefined
      if (outcome === 'changed') this.#route()
      else this.#page(outcome === 'timeout' ? late : outcome)
    })
  }

  // --- the visitor's side --------------------------------------------------------------------------------------

  tick(now: number): void {
    this.#attempt?.tick(now)
  }

  /** A piece of the request's body. False: no more until the visitor hears `resumeBody`. */
  body(buf: Buffer, start: number, end: number): boolean {
    if (this.#over || !this.#attempt) return true
    this.#received += end - start
    if (this.#received > (this.policy?.maxBodyBytes ?? Number.POSITIVE_INFINITY)) {
      this.#giveUp('body-too-large')
      return true
    }
    return this.#attempt.body(buf, start, end)
  }

  bodyEnd(trailers: string): void {
    this.bodyWhole = true
    if (!this.#over) this.#attempt?.bodyEnd(trailers)
  }

  /** The request can't be read to its end. */
  bodyFailed(): void {
    if (!this.#over) this.#giveUp('bad-request')
  }

  /** The visitor takes more of the answer. */
  drained(): void {
    if (!this.#over) this.#attempt?.drained()
  }

  /** The visitor has left. */
  left(): void {
    if (this.#over) return
    const status = this.#attempt?.status ?? 0
    this.#attempt?.drop()
    this.#finish(status)
  }

  // --- the target's side ---------------------------------------------------------------------------------------

  onDone(status: number): void {
    this.#finish(status)
  }

  onFailed(failure: Failure, error: Error, target: RoutedTarget): void {
    if (this.#over) return
    const names = { app: this.app, target: target.id, error: error.message }
    if (failure === 'unreachable') {
      this.#site.targets.markDown(target)
      this.#site.warn('A target cannot be reached', names)
      this.#tried ??= new Set()
      this.#tried.add(target.slot)
      this.#attempt = undefined
      this.#route()
    } else if (failure === 'cut' && !this.#repeated && this.#isRepeatable()) {
      this.#repeated = true
      this.#attempt = undefined
      this.#route()
    } else {
      this.#site.warn('A target broke its connection off', names)
      this.#page('unreachable')
    }
  }

  onSlow(reason: 'slow' | 'visitor-slow'): void {
    this.#giveUp(reason)
  }

  onCut(): void {
    if (this.#over) return
    this.#attempt?.drop()
    this.#finish(this.#attempt?.status ?? 0)
    // A connection that is cut tells the visitor that the answer is not whole.
    this.#visitor.abort()
  }

  // A connection that was idle may be closed by the target just as the next request goes out on it.
  #isRepeatable(): boolean {
    const { length, upgrade, method } = this.#head
    return length === NO_BODY && upgrade === undefined && IDEMPOTENT.has(method)
  }

  // --- answers of the edge's own -------------------------------------------------------------------------------

  /** In the midst of an exchange: with a page, or where it is too late for one by cutting the connection. */
  #giveUp(reason: Reason): void {
    if (this.#attempt !== undefined && this.#attempt.status !== 0) {
      this.onCut()
      return
    }
    this.#attempt?.drop()
    this.#page(reason)
  }

  #page(reason: Reason, fields = ''): void {
    const page = this.#site.pages.page(reason, this.#head.accept, this.requestId, this.app)
    const { status, reason: phrase } = page
    this.#answer(status, phrase, page.fields + fields, page.body, ENDS_CONNECTION.has(reason))
  }

  #redirect(status: number, location: string): void {
    this.#answer(status, STATUS_CODES[status] ?? 'Redirect', `Location: ${location}\r\n`, NOTHING)
  }

  #answer(status: number, reason: string, fields: string, body: Buffer, last = false): void {
    if (this.#over) return
    const ends = last || this.isLast()
    this.#finish(status)
    const bodyless = this.#head.method === 'HEAD' || body.length === 0
    const length = bodyless ? NO_BODY : body.length
    const all = `Date: ${new Date().toUTCString()}\r\n${fields}`
    this.#visitor.answer({ status, reason, fields: all, length, declared: body.length }, ends)
    if (!bodyless) this.#visitor.piece(body, 0, body.length)
    this.#visitor.end('')
  }

  /** A body that is not read to its end is in the way of the next request, as is what follows a refused upgrade. */
  isLast(): boolean {
    const { keepAlive, upgrade } = this.#head
    return this.#site.closing || !keepAlive || !this.bodyWhole || upgrade !== undefined
  }

  #finish(status: number): void {
    if (this.#over) return
    this.#over = true
    this.#stopWaiting?.()
    const { meter, accessLog } = this.#site
    meter.answered(this.app, status)
    accessLog?.write({
      requestId: this.requestId,
      app: this.app,
      method: this.#head.method,
      host: this.#head.host,
      path: this.#head.path,
      status,
      ms: performance.now() - this.#start,
      upstreamMs: this.#attempt?.waited ?? 0,
      target: this.#attempt?.target.id ?? '',
      client: this.#visitor.peer.address,
    })
  }
}
