/** The life of one request, from its head to the last byte of its answer. @module */
import { randomUUID } from 'node:crypto'
import type { Socket } from 'node:net'
import { NO_BODY } from '../http1/framing.ts'
import type { RequestHead } from '../http1/request-head.ts'
import type { ResponseHead } from '../http1/response-head.ts'
import type { RoutedTarget } from '../messages.ts'
import type { Reason } from './pages.ts'
import { identityLines } from './peer.ts'
import type { Site } from './site.ts'
import { type Asker, bodyKind, type Failure, type TargetConnection } from './target-connection.ts'
import type { Visitor } from './visitor.ts'

/** Methods that may be sent twice where it is unknown whether the first was heard. RFC 9110 9.2.2. */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'])
/** The rest of a request that made no sense, or never comes, cannot be told from the next one. */
const ENDS_CONNECTION = new Set<Reason>(['bad-request', 'visitor-slow', 'coding', 'body-too-large'])
const NONE_TRIED: ReadonlySet<number> = new Set()

export class Visit implements Asker {
  readonly #site: Site
  readonly #visitor: Visitor
  readonly #head: RequestHead
  readonly #requestId: string
  readonly #start = performance.now()
  #tried: Set<number> | undefined
  #app = ''
  #target: RoutedTarget | undefined
  #connection: TargetConnection | undefined
  /** When the attempt began, and the time from there to the first byte of the answer. */
  #asked = 0
  #waited = 0
  #repeated = false
  #heldUntil = 0
  #stopWaiting: (() => void) | undefined
  /** By `performance.now()`; 0 for none. */
  #deadline = 0
  #bodyBegun = false
  #bodyWhole: boolean
  /** The target takes no more of the body for now. */
  #blocked = false
  #status = 0
  #over = false

  constructor(site: Site, visitor: Visitor, head: RequestHead) {
    this.#site = site
    this.#visitor = visitor
    this.#head = head
    this.#requestId = head.requestId ?? randomUUID()
    this.#bodyWhole = head.length === NO_BODY
  }

  /** Whether the answer has been given whole, or given up. */
  get over(): boolean {
    return this.#over
  }

  begin(): void {
    this.#route()
  }

  #route(): void {
    const { host, path } = this.#head
    const found = this.#site.targets.take(host, path, this.#tried ?? NONE_TRIED)
    this.#app = found.app
    if (found.kind === 'target') this.#forward(found.target)
    else if (found.kind === 'wait') this.#hold(found.generation)
    else this.#page(found.kind === 'exhausted' ? 'unreachable' : found.kind)
  }

  #hold(generation: number): void {
    const now = performance.now()
    this.#heldUntil ||= now + this.#site.settings.holdTimeoutMs
    const left = Math.max(0, this.#heldUntil - now)
    this.#stopWaiting = this.#site.gate.wait(generation, left, (outcome) => {
      this.#stopWaiting = undefined
      if (this.#over) return
      // Targets that refused belong to the routes before the wait.
      this.#tried = undefined
      if (outcome === 'changed') this.#route()
      else this.#page(outcome === 'timeout' ? 'held' : outcome)
    })
  }

  #forward(target: RoutedTarget): void {
    const { pools, settings } = this.#site
    const { method, path, fields, authority, length, upgrade } = this.#head
    this.#target = target
    this.#asked = performance.now()
    this.#deadline = this.#asked + Math.min(settings.connectTimeoutMs, settings.responseTimeoutMs)
    // HTTP/1.0 may come without a Host, HTTP/1.1 may not go on without one.
    let head = `${method} ${path} HTTP/1.1\r\nHost: ${authority === '' ? target.origin.slice(7) : authority}\r\n`
    head += `${fields}${identityLines(this.#visitor.peer, this.#head)}X-Request-Id: ${this.#requestId}\r\n`
    if (upgrade !== undefined) head += `Connection: Upgrade\r\nUpgrade: ${upgrade}\r\n`
    const fresh = length !== NO_BODY || !IDEMPOTENT.has(method)
    const connection = pools.take(target.origin, fresh)
    this.#connection = connection
    connection.ask(this, { head: `${head}\r\n`, bodyless: method === 'HEAD', body: bodyKind(length) })
  }

  /** Watches the limits. */
  tick(now: number): void {
    if (this.#deadline === 0 || now < this.#deadline || this.#over) return
    const connection = this.#connection
    if (connection && !connection.asked) {
      // Not the target's silence yet: the connection itself does not come.
      connection.destroy()
      this.onFailure('unreachable', new Error('no connection in time'))
    } else if (connection && !this.#longSince(now)) {
      this.#deadline = this.#asked + this.#site.settings.responseTimeoutMs
    } else if (this.#status !== 0) this.#cut()
    else {
      this.#drop()
      this.#page(this.#bodyBegun && !this.#bodyWhole && !this.#blocked ? 'visitor-slow' : 'slow')
    }
  }

  // The limit for a connection is shorter than that for an answer; only after it counts the other.
  #longSince(now: number): boolean {
    return now - this.#asked >= this.#site.settings.responseTimeoutMs
  }

  // --- the visitor's side --------------------------------------------------------------------------------------

  /** A piece of the request's body. False: no more until the visitor hears `resumeBody`. */
  body(buf: Buffer, start: number, end: number): boolean {
    if (!this.#connection || this.#over) return true
    this.#progress()
    if (this.#connection.write(buf, start, end)) return true
    this.#blocked = true
    return false
  }

  bodyEnd(trailers: string): void {
    this.#bodyWhole = true
    if (!this.#connection || this.#over) return
    this.#progress()
    this.#connection.end(trailers)
  }

  /** The request can't be read to its end. */
  bodyFailed(): void {
    if (this.#over) return
    this.#drop()
    if (this.#status === 0) this.#page('bad-request')
    else this.#cut()
  }

  /** The visitor takes more of the answer. */
  drained(): void {
    this.#deadline = 0
    this.#connection?.resume()
  }

  /** The visitor has left. */
  left(): void {
    if (this.#over) return
    this.#drop()
    this.#finish(this.#status)
  }

  #progress(): void {
    if (this.#status === 0) {
      this.#asked = performance.now()
      this.#deadline = this.#asked + this.#site.settings.responseTimeoutMs
    }
  }

  // --- the target's side ---------------------------------------------------------------------------------------

  onDrain(): void {
    this.#blocked = false
    if (this.#bodyBegun) {
      this.#visitor.resumeBody()
      return
    }
    this.#bodyBegun = true
    this.#progress()
    if (this.#head.expects) this.#visitor.interim(100, 'Continue', '')
    this.#visitor.readBody()
  }

  onInterim({ status, reason, fields }: ResponseHead): void {
    // Other interim answers mean something between edge and target only. RFC 8297.
    if (status === 103) this.#visitor.interim(status, reason, fields)
  }

  onHead(head: ResponseHead): void {
    const now = performance.now()
    this.#waited = now - this.#asked
    this.#site.meter.waited(this.#app, this.#waited / 1000)
    this.#deadline = 0
    this.#status = head.status
    this.#visitor.answer(head, this.#isLast())
  }

  onPiece(buf: Buffer, start: number, end: number): boolean {
    if (this.#visitor.piece(buf, start, end)) return true
    this.#deadline = performance.now() + this.#site.settings.responseTimeoutMs
    return false
  }

  onPause(): void {
    this.#visitor.flush()
  }

  onEnd(trailers: string): void {
    this.#connection = undefined
    this.#finish(this.#status)
    this.#visitor.end(trailers)
  }

  onUpgrade(head: ResponseHead, socket: Socket, rest: Buffer): void {
    this.#connection = undefined
    this.#deadline = 0
    const target = this.#target!
    if (this.#head.upgrade === undefined) {
      socket.destroy()
      this.onFailure('broken', new Error('it changed the protocol unasked'))
      return
    }
    this.#waited = performance.now() - this.#asked
    this.#site.meter.waited(this.#app, this.#waited / 1000)
    const upgrade = head.upgrade ?? ''
    const visitor = this.#visitor.detach()
    visitor.socket.write(
      `HTTP/1.1 101 ${head.reason || 'Switching Protocols'}\r\nConnection: Upgrade\r\nUpgrade: ${upgrade}\r\n${head.fields}\r\n`,
      'latin1',
    )
    this.#status = 101
    this.#target = undefined
    this.#site.tunnels.open({
      slot: target.slot,
      websocket: upgrade.toLowerCase() === 'websocket',
      visitor,
      target: { socket, rest, ended: false },
      done: () => {
        this.#target = target
        this.#finish(101)
      },
    })
  }

  onFailure(failure: Failure, error: Error): void {
    const target = this.#target
    this.#connection = undefined
    this.#release()
    if (this.#over || !target) return
    const names = { app: this.#app, target: target.id, error: error.message }
    if (this.#status !== 0) {
      this.#site.warn('A target broke its answer off', names)
      this.#cut()
    } else if (failure === 'unreachable') {
      this.#site.targets.markDown(target)
      this.#site.warn('A target cannot be reached', names)
      this.#tried ??= new Set()
      this.#tried.add(target.slot)
      this.#route()
    } else if (failure === 'cut' && this.#mayRepeat()) {
      this.#repeated = true
      this.#route()
    } else {
      this.#site.warn('A target broke its connection off', names)
      this.#page('unreachable', target.id)
    }
  }

  // A connection that was idle may be closed by the target just as the next request goes out on it.
  #mayRepeat(): boolean {
    const { length, upgrade, method } = this.#head
    return !this.#repeated && length === NO_BODY && upgrade === undefined && IDEMPOTENT.has(method)
  }

  // --- ends ----------------------------------------------------------------------------------------------------

  /** The edge's own answer. */
  #page(reason: Reason, target = ''): void {
    if (this.#over) return
    const { answer, body } = this.#site.pages.page(reason, this.#head.accept, this.#requestId)
    this.#status = answer.status
    const last = ENDS_CONNECTION.has(reason) || this.#isLast()
    this.#finish(answer.status, target)
    const empty = this.#head.method === 'HEAD'
    this.#visitor.answer(empty ? { ...answer, length: NO_BODY } : answer, last)
    if (!empty) this.#visitor.piece(body, 0, body.length)
    this.#visitor.end('')
  }

  /** A body that is not read to its end is in the way of the next request, as is what follows a refused upgrade. */
  #isLast(): boolean {
    const { keepAlive, upgrade } = this.#head
    return this.#site.closing || !keepAlive || !this.#bodyWhole || upgrade !== undefined
  }

  /** Too late for another answer: a connection that is cut tells the visitor that this one is not whole. */
  #cut(): void {
    this.#drop()
    this.#finish(this.#status)
    this.#visitor.abort()
  }

  /** Lets go of the target in the midst of things. */
  #drop(): void {
    const connection = this.#connection
    this.#connection = undefined
    connection?.destroy()
  }

  #release(): void {
    if (this.#target === undefined) return
    this.#site.targets.release(this.#target)
    this.#target = undefined
  }

  #finish(status: number, target = this.#target?.id ?? ''): void {
    if (this.#over) return
    this.#over = true
    this.#deadline = 0
    this.#stopWaiting?.()
    this.#release()
    const { meter, accessLog } = this.#site
    meter.answered(this.#app, status)
    if (accessLog === undefined) return
    const { method, host, path } = this.#head
    const query = path.indexOf('?')
    accessLog.write({
      requestId: this.#requestId,
      app: this.#app,
      method,
      host,
      path: query < 0 ? path : path.slice(0, query),
      status,
      ms: Math.round((performance.now() - this.#start) * 10) / 10,
      upstreamMs: Math.round(this.#waited * 10) / 10,
      target,
      client: this.#visitor.peer.address,
    })
  }
}
