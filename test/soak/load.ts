/** Visitors of the app under soak, who take note of all that fails. @module */
import { Agent, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import WebSocket from 'ws'
import { byteAt, DOWNLOAD_RATE } from './app.ts'

export interface LoadOptions {
  url: string
  /** Requests a second, whether or not those before them have been answered. */
  rate: number
  webSockets: number
  downloads: number
  /** Of one download. */
  downloadSeconds: number
}

export interface LoadReport {
  requests: number
  /** Each with its kind and its moment in seconds from the begin. */
  failures: string[]
  downloads: number
  /** Downloads that were cut, or whose content was wrong. */
  cut: string[]
  /** WebSockets that were opened, and messages that came back. */
  opened: number
  echoed: number
  /** Close code -> how often. 1006 is a close without a close frame. */
  closes: Record<string, number>
  /** Of answered requests, in milliseconds. */
  p50: number
  p99: number
  slowest: number
}

const TIMEOUT_MS = 30_000
const PAGE = /^page \S+$/
/** Of a socket between two messages. */
const MESSAGE_MS = 250

/** Begins at once; ends with `stop`, which lets end what is under way. */
export class Load {
  readonly #options: LoadOptions
  readonly #report: LoadReport = {
    requests: 0,
    failures: [],
    downloads: 0,
    cut: [],
    opened: 0,
    echoed: 0,
    closes: {},
    p50: 0,
    p99: 0,
    slowest: 0,
  }
  readonly #begun = performance.now()
  readonly #times: number[] = []
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 16 })
  readonly #work: Promise<void>[] = []
  #over = false

  constructor(options: LoadOptions) {
    this.#options = options
    this.#work.push(this.#keepRate())
    for (let n = 0; n < options.downloads; n++) this.#work.push(this.#keepLoading())
    for (let n = 0; n < options.webSockets; n++) this.#work.push(this.#keepTalking(n))
  }

  async stop(): Promise<LoadReport> {
    this.#over = true
    await Promise.all(this.#work)
    this.#agent.destroy()
    const sorted = this.#times.toSorted((a, b) => a - b)
    const at = (share: number) => Math.round(sorted[Math.floor((sorted.length - 1) * share)] ?? 0)
    return { ...this.#report, p50: at(0.5), p99: at(0.99), slowest: at(1) }
  }

  #moment(): string {
    return `${((performance.now() - this.#begun) / 1000).toFixed(1)} s`
  }

  // --- requests ------------------------------------------------------------------------------------------------

  async #keepRate(): Promise<void> {
    const open = new Set<Promise<void>>()
    for (let sent = 0; !this.#over; await sleep(10)) {
      const due = ((performance.now() - this.#begun) * this.#options.rate) / 1000
      for (; sent < due; sent++) {
        const one = this.#visit(sent).finally(() => open.delete(one))
        open.add(one)
      }
    }
    await Promise.all(open)
  }

  /** Every other over a kept connection; one in five sends something. */
  async #visit(n: number): Promise<void> {
    this.#report.requests++
    const kept = n % 2 === 0
    const text = n % 10 < 2 ? `order ${n} ${'x'.repeat(n % 1_000)}` : undefined
    const asked = performance.now()
    const begun = this.#moment()
    try {
      const { status, body } = await ask(this.#options.url, kept ? this.#agent : false, text)
      this.#times.push(performance.now() - asked)
      if (status === 200 && (text === undefined ? PAGE.test(body) : body === text)) return
      throw new Error(`${status} ${body.slice(0, 80)}`)
    } catch (error) {
      const what = `${text === undefined ? 'GET' : 'POST'} ${kept ? 'kept' : 'new'} connection`
      this.#report.failures.push(
        `${what}, asked at ${begun}, at ${this.#moment()}: ${(error as Error).message}`,
      )
    }
  }

  // --- downloads -----------------------------------------------------------------------------------------------

  async #keepLoading(): Promise<void> {
    while (!this.#over) {
      const begun = this.#moment()
      this.#report.downloads++
      await this.#download().catch((error: Error) =>
        this.#report.cut.push(`begun at ${begun}, at ${this.#moment()}: ${error.message}`),
      )
    }
  }

  #download(): Promise<void> {
    const { url, downloadSeconds } = this.#options
    const { host, port, hostname } = new URL(url)
    const size = downloadSeconds * DOWNLOAD_RATE
    return new Promise((resolve, reject) => {
      const path = `/slow?seconds=${downloadSeconds}`
      const req = request({ host: '127.0.0.1', port, path, headers: { host }, agent: false }, (res) => {
        if (res.statusCode !== 200) reject(new Error(`status ${res.statusCode} of ${hostname}`))
        let at = 0
        res.on('data', (piece: Buffer) => {
          for (const byte of piece) if (byte !== byteAt(at++)) reject(new Error(`wrong content at ${at - 1}`))
        })
        res.on('error', (error) => reject(new Error(`${error.message} after ${at} of ${size} bytes`)))
        res.on('end', () =>
          at === size ? resolve() : reject(new Error(`ended after ${at} of ${size} bytes`)),
        )
      })
      req.setTimeout(TIMEOUT_MS, () => req.destroy(new Error('nothing came for too long')))
      req.on('error', reject).end()
    })
  }

  // --- WebSockets ----------------------------------------------------------------------------------------------

  async #keepTalking(n: number): Promise<void> {
    while (!this.#over) await this.#talk(n)
  }

  /** One WebSocket, from its opening to its close. */
  async #talk(n: number): Promise<void> {
    const { host, port } = new URL(this.#options.url)
    const socket = new WebSocket(`ws://127.0.0.1:${port}/`, {
      headers: { host },
      handshakeTimeout: TIMEOUT_MS,
    })
    let code = 0
    let failure: Error | undefined
    let opened = false
    const sent = new Set<string>()
    const closed = new Promise<void>((resolve) => {
      socket.on('close', (why) => {
        code = why
        resolve()
      })
    })
    socket.on('open', () => {
      opened = true
      this.#report.opened++
    })
    socket.on('error', (error) => {
      failure = error
    })
    socket.on('message', (data) => {
      if (sent.delete(String(data))) this.#report.echoed++
      else this.#report.failures.push(`WebSocket ${n} at ${this.#moment()}: got what it had not sent`)
    })
    const over = closed.then(() => true)
    for (let count = 0; !this.#over; count++) {
      if (await Promise.race([over, sleep(MESSAGE_MS, false)])) break
      if (socket.readyState !== WebSocket.OPEN) continue
      // A message that is never answered shows before long; those that meet a close frame may be lost.
      if (sent.size > TIMEOUT_MS / MESSAGE_MS) socket.terminate()
      const text = `${n}.${count} ${'y'.repeat((count * 37) % 400)}`
      sent.add(text)
      socket.send(text)
    }
    if (socket.readyState === WebSocket.OPEN) socket.close(1000)
    await closed
    if (!opened)
      this.#report.failures.push(`WebSocket ${n} at ${this.#moment()}: ${failure?.message ?? code}`)
    else this.#report.closes[code] = (this.#report.closes[code] ?? 0) + 1
    if (opened && (code === 1006 || failure))
      this.#report.failures.push(
        `WebSocket ${n} at ${this.#moment()}: ${failure?.message ?? 'it was cut without a close frame'}`,
      )
  }
}

function ask(
  url: string,
  agent: Agent | false,
  text: string | undefined,
): Promise<{ status: number; body: string }> {
  const { host, port } = new URL(url)
  const method = text === undefined ? 'GET' : 'POST'
  return new Promise((resolve, reject) => {
    const headers = { host, ...(text !== undefined && { 'content-length': text.length }) }
    const req = request({ host: '127.0.0.1', port, method, path: '/', headers, agent }, (res) => {
      let body = ''
      res.setEncoding('utf8').on('data', (piece: string) => {
        body += piece
      })
      res.on('error', reject)
      res.on('end', () => resolve({ status: res.statusCode ?? 0, body }))
    })
    req.setTimeout(TIMEOUT_MS, () => req.destroy(new Error('no answer in time')))
    req.on('error', reject).end(text)
  })
}
