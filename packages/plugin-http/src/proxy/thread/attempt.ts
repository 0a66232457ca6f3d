/** One attempt to have a target answer a request. @module */
import type { Socket } from 'node:net'
import type { SitePolicy } from '@kernel/contracts'
import type { RequestHead } from '../http1/request-head.ts'
import type { ResponseHead } from '../http1/response-head.ts'
import type { RoutedTarget } from '../messages.ts'
import { dressAnswer } from './answer-policy.ts'
import { Encoder } from './encoding.ts'
import { forwardedHead } from './forwarded-head.ts'
import { isSecure } from './peer.ts'
import type { Site } from './site.ts'
import {
  type Asker,
  bodyKind,
  type Failure,
  InsideError,
  type TargetConnection,
} from './target-connection.ts'
import type { Visitor } from './visitor.ts'

/** Whose request it is. Each attempt ends with one of `onDone`, `onFailed`, `onSlow` and `onCut`. */
export interface AttemptOwner {
  readonly app: string
  readonly requestId: string
  readonly policy: SitePolicy | undefined
  /** The request's body is here to its end. */
  readonly bodyWhole: boolean
  /** No other request may follow on the visitor's connection. */
  isLast(): boolean
  /** The answer is with the visitor. */
  onDone(status: number): void
  /** Nothing of an answer was sent. */
  onFailed(failure: Failure, error: Error, target: RoutedTarget): void
  /** Nothing of an answer was sent in time; by whose fault. */
  onSlow(reason: 'slow' | 'visitor-slow'): void
  /** An answer was begun and can't be ended. */
  onCut(): void
}

export class Attempt implements Asker {
  readonly #owner: AttemptOwner
  readonly #site: Site
  readonly #visitor: Visitor
  readonly #head: RequestHead
  readonly target: RoutedTarget
  #connection: TargetConnection | undefined
  #encoder: Encoder | undefined
  /** When the request, or what has come of its body, was sent on. By `performance.now()`. */
  #asked: number
  /** By `performance.now()`; 0 for none. */
  #deadline: number
  #bodyBegun = false
  /** The target takes no more of the body for now. */
  #blocked = false
  #counted = true
  /** Milliseconds to the first byte of the answer. */
  waited = 0
  /** Of the answer; 0 as long as nothing of it was sent. */
  status = 0

  constructor(owner: AttemptOwner, site: Site, visitor: Visitor, head: RequestHead, target: RoutedTarget) {
    this.#owner = owner
    this.#site = site
    this.#visitor = visitor
    this.#head = head
    this.target = target
    const { connectTimeoutMs, responseTimeoutMs } = site.settings
    this.#asked = performance.now()
    this.#deadline = this.#asked + Math.min(connectTimeoutMs, responseTimeoutMs)
  }

  /** @param repeatable a connection that turns out to be closed can be replaced */
  begin(repeatable: boolean): void {
    const head = forwardedHead(this.#head, this.#visitor.peer, this.#owner.requestId, this.target.origin)
    const { method, length } = this.#head
    const connection = this.#site.pools.take(this.target.origin, !repeatable)
    this.#connection = connection
    connection.ask(this, { head, bodyless: method === 'HEAD', body: bodyKind(length) })
  }

  /** Lets go of the target in the midst of things. */
  drop(): void {
    this.#deadline = 0
    this.#encoder?.destroy()
    const connection = this.#connection
    this.#connection = undefined
    connection?.destroy()
    this.#release()
  }

  /** Watches the limits. */
  tick(now: number): void {
    if (this.#deadline === 0 || now < this.#deadline) return
    const connection = this.#connection
    if (connection && !connection.asked) {
      connection.destroy()
      this.onFailure('unreachable', new Error('no connection in time'))
    } else if (this.status !== 0) this.#owner.onCut()
    else if (now - this.#asked < this.#site.settings.responseTimeoutMs) {
      // That was the limit for a connection; the one for an answer is longer.
      this.#deadline = this.#asked + this.#site.settings.responseTimeoutMs
    } else this.#owner.onSlow(this.#awaitsVisitor ? 'visitor-slow' : 'slow')
  }

  get #awaitsVisitor(): boolean {
    return this.#bodyBegun && !this.#owner.bodyWhole && !this.#blocked
  }

  /** A piece of the request's body. False: no more until the visitor hears `resumeBody`. */
  body(buf: Buffer, start: number, end: number): boolean {
    if (!this.#connection) return true
    this.#site.collector.passed(end - start)
    this.#progress()
    if (this.#connection.write(buf, start, end)) return true
    this.#blocked = true
    return false
  }

  bodyEnd(trailers: string): void {
    if (!this.#connection) return
    this.#progress()
    this.#connection.end(trailers)
  }

  /** The visitor takes more of the answer. */
  drained(): void {
    this.#deadline = 0
    if (this.#encoder) this.#encoder.drained()
    else this.#connection?.resume()
  }

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
    this.#answered(head.status)
    const { policy } = this.#owner
    if (policy) this.#dress(head, policy)
    this.#visitor.answer(head, this.#owner.isLast())
  }

  #dress(head: ResponseHead, policy: SitePolicy): void {
    const secure = isSecure(this.#visitor.peer, this.#head)
    const coding = dressAnswer(head, policy, secure, this.#head.acceptEncoding)
    if (coding === undefined) return
    this.#encoder = new Encoder(coding, this.#visitor, {
      blocked: () => this.#awaitVisitor(),
      resume: () => this.#connection?.resume(),
      done: () => this.#end(''),
      failed: (error) => {
        this.#site.warn('An answer could not be encoded', { app: this.#owner.app, error: error.message })
        this.#owner.onCut()
      },
    })
  }

  onPiece(buf: Buffer, start: number, end: number): boolean {
    this.#site.collector.passed(end - start)
    if (this.#encoder) return this.#encoder.piece(buf, start, end)
    if (this.#visitor.piece(buf, start, end)) return true
    this.#awaitVisitor()
    return false
  }

  /** A visitor who reads nothing for too long is given up. */
  #awaitVisitor(): void {
    this.#deadline = performance.now() + this.#site.settings.responseTimeoutMs
  }

  onPause(): void {
    this.#encoder?.flush()
    this.#visitor.flush()
  }

  onEnd(trailers: string): void {
    this.#connection = undefined
    this.#release()
    if (this.#encoder) this.#encoder.end()
    else this.#end(trailers)
  }

  #end(trailers: string): void {
    this.#owner.onDone(this.status)
    this.#visitor.end(trailers)
  }

  onUpgrade(head: ResponseHead, socket: Socket, rest: Buffer): void {
    if (this.#head.upgrade === undefined) {
      socket.destroy()
      this.onFailure('broken', new Error('it changed the protocol unasked'))
      return
    }
    this.#connection = undefined
    this.#answered(101)
    const upgrade = head.upgrade ?? ''
    const visitor = this.#visitor.detach()
    const lines = `Connection: Upgrade\r\nUpgrade: ${upgrade}\r\n${head.fields}`
    visitor.socket.write(`HTTP/1.1 101 ${head.reason || 'Switching Protocols'}\r\n${lines}\r\n`, 'latin1')
    this.#site.tunnels.open({
      slot: this.target.slot,
      websocket: upgrade.toLowerCase() === 'websocket',
      visitor,
      target: { socket, rest, ended: false },
      done: () => {
        this.#release()
        this.#owner.onDone(101)
      },
    })
  }

  onFailure(failure: Failure, error: Error): void {
    if (error instanceof InsideError)
      this.#site.warn('A request failed inside the edge', { error: (error.cause as Error).stack })
    this.#connection = undefined
    this.#release()
    if (this.status === 0) {
      this.#deadline = 0
      this.#owner.onFailed(failure, error, this.target)
      return
    }
    this.#site.warn('A target broke its answer off', {
      app: this.#owner.app,
      target: this.target.id,
      error: error.message,
    })
    this.#owner.onCut()
  }

  #answered(status: number): void {
    this.waited = performance.now() - this.#asked
    this.#site.meter.waited(this.#owner.app, this.waited / 1000)
    this.#deadline = 0
    this.status = status
  }

  #progress(): void {
    if (this.status !== 0) return
    this.#asked = performance.now()
    this.#deadline = this.#asked + this.#site.settings.responseTimeoutMs
  }

  /** Whoever drains the target need not wait for this request any more. */
  #release(): void {
    if (!this.#counted) return
    this.#counted = false
    this.#site.targets.release(this.target)
  }
}
