/** The life of one request, from its head to the last byte of its answer. @module */
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import type { RoutedTarget } from '../messages.ts'
import { Exchange, type Failure } from './exchange.ts'
import { type Reason, sendPage } from './pages.ts'
import { type RequestHead, readRequestHead } from './request-head.ts'
import type { Site } from './site.ts'
import { openTunnel } from './tunnel.ts'
import { Upload } from './upload.ts'

/** Methods that may be sent twice where it is unknown whether the first was heard. RFC 9110 9.2.2. */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'])

/** The rest of a request that made no sense, or never comes, cannot be told from the next one. */
const ENDS_CONNECTION = new Set<Reason>(['bad-request', 'visitor-slow', 'coding'])

/** Time for the rest of a body that nobody reads, so that its sender gets to see the answer. */
const LINGER_MS = 10_000

export class Visit {
  readonly #site: Site
  readonly #req: IncomingMessage
  readonly #res: ServerResponse
  readonly #upgrade: boolean
  readonly #start = performance.now()
  readonly #tried = new Set<number>()
  #head: RequestHead | undefined
  #requestId = ''
  #app = ''
  #target = ''
  #repeated = false
  #heldUntil = 0
  #stopWaiting: (() => void) | undefined
  #exchange: Exchange | undefined
  #closed = false

  /** @param upgrade whether the visitor asks to change to another protocol */
  constructor(site: Site, req: IncomingMessage, res: ServerResponse, upgrade: boolean) {
    this.#site = site
    this.#req = req
    this.#res = res
    this.#upgrade = upgrade
  }

  begin(): void {
    this.#res.on('close', () => this.#close(this.#res.headersSent ? this.#res.statusCode : 0))
    this.#req.on('error', () => {})
    const { trusted, settings } = this.#site
    const options = { trusted, maxHeaders: settings.maxHeaders, upgrade: this.#upgrade }
    const head = readRequestHead(this.#req, options)
    this.#requestId = head.requestId
    if ('status' in head) {
      this.#answer(head.status === 400 ? 'bad-request' : head.status === 431 ? 'too-large' : 'coding')
      return
    }
    this.#head = head
    this.#route(head)
  }

  #route(head: RequestHead): void {
    const found = this.#site.targets.take(head.host, head.path, this.#tried)
    this.#app = found.app
    if (found.kind === 'target') this.#forward(head, found.target)
    else if (found.kind === 'wait') this.#hold(head, found.generation)
    else this.#answer(found.kind === 'exhausted' ? 'unreachable' : found.kind)
  }

  #hold(head: RequestHead, generation: number): void {
    const now = performance.now()
    this.#heldUntil ||= now + this.#site.settings.holdTimeoutMs
    const left = Math.max(0, this.#heldUntil - now)
    this.#stopWaiting = this.#site.gate.wait(generation, left, (outcome) => {
      this.#stopWaiting = undefined
      if (this.#closed) return
      // Targets that refused belong to the routes before the wait.
      this.#tried.clear()
      if (outcome === 'changed') this.#route(head)
      else this.#answer(outcome === 'timeout' ? 'held' : outcome)
    })
  }

  #forward(head: RequestHead, target: RoutedTarget): void {
    const { pools, targets, meter, settings } = this.#site
    this.#target = target.id
    const upload = head.hasBody ? new Upload(this.#req, () => this.#continue()) : null
    const began = performance.now()
    this.#exchange = new Exchange({
      res: this.#res,
      upload,
      timeoutMs: settings.responseTimeoutMs,
      onOver: () => targets.release(target),
      onHead: () => {
        meter.waited(this.#app, (performance.now() - began) / 1000)
        this.#prepareAnswer()
      },
      onUpgrade: (status, headers, protocol, socket) => {
        meter.waited(this.#app, (performance.now() - began) / 1000)
        this.#tunnel(target, status, headers, protocol, socket)
      },
      onFailure: (failure, error) => this.#failed(head, target, failure, error),
    })
    this.#exchange.start(pools.of(target.origin), {
      path: head.path,
      method: this.#req.method!,
      headers: head.headers,
      body: upload,
      upgrade: head.upgrade ?? null,
    })
  }

  #failed(head: RequestHead, target: RoutedTarget, failure: Failure, error: Error): void {
    if (this.#closed || this.#res.destroyed || this.#req.socket.destroyed) return
    if (failure === 'unreachable') {
      this.#site.targets.markDown(target)
      this.#site.warn('A target cannot be reached', { ...this.#names(), error: error.message })
      this.#tried.add(target.slot)
      this.#route(head)
    } else if (failure === 'closed' || (failure === 'cut' && this.#mayRepeat(head))) {
      this.#repeated ||= failure === 'cut'
      this.#route(head)
    } else if (failure === 'cut' || failure === 'broken') {
      this.#site.warn('A target broke its connection off', { ...this.#names(), error: error.message })
      this.#answer('unreachable')
    } else this.#answer(failure)
  }

  // A connection that was idle may be closed by the target just as the next request goes out on it.
  #mayRepeat(head: RequestHead): boolean {
    return !this.#repeated && !head.hasBody && head.upgrade === undefined && IDEMPOTENT.has(this.#req.method!)
  }

  #tunnel(
    target: RoutedTarget,
    status: number,
    headers: string[],
    protocol: string | undefined,
    socket: Duplex,
  ): void {
    const visitor = this.#req.socket
    this.#res.detachSocket(visitor)
    let text = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\nConnection: Upgrade\r\nUpgrade: ${protocol ?? ''}\r\n`
    for (let i = 0; i < headers.length; i += 2) text += `${headers[i]}: ${headers[i + 1]}\r\n`
    visitor.write(`${text}\r\n`, 'latin1')
    openTunnel(visitor, socket, () => {
      this.#site.targets.release(target)
      this.#close(status)
    })
  }

  #answer(reason: Reason): void {
    if (this.#closed || this.#res.headersSent) return
    this.#prepareAnswer()
    if (ENDS_CONNECTION.has(reason)) this.#res.shouldKeepAlive = false
    sendPage(this.#req, this.#res, reason, this.#requestId)
  }

  #prepareAnswer(): void {
    if (this.#site.closing) this.#res.shouldKeepAlive = false
    if (this.#req.complete || this.#upgrade) return
    this.#res.once('finish', () => {
      if (this.#req.complete) return
      const { socket } = this.#req
      this.#req.resume()
      const timer = setTimeout(() => socket.destroy(), LINGER_MS)
      this.#req.once('close', () => clearTimeout(timer))
    })
  }

  #continue(): void {
    if (this.#req.headers.expect !== undefined && !this.#res.headersSent) this.#res.writeContinue()
  }

  #close(status: number): void {
    if (this.#closed) return
    this.#closed = true
    this.#stopWaiting?.()
    this.#exchange?.abandon()
    this.#site.meter.answered(this.#app, status)
    this.#site.accessLog?.write({
      ...this.#names(),
      method: this.#req.method ?? '',
      host: this.#head?.host ?? '',
      path: (this.#head?.path ?? '').split('?', 1)[0]!,
      status,
      ms: Math.round((performance.now() - this.#start) * 10) / 10,
    })
  }

  #names() {
    return { requestId: this.#requestId, app: this.#app, target: this.#target }
  }
}
