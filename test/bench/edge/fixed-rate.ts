/**
 * Load at a fixed rate over kept connections, by wrk2's method: each request has a time at which it should go out,
 * whether or not the answer before it has come, and its latency counts from there. So a stall is charged to every
 * request that it held up.
 */
import { connect, type Socket } from 'node:net'

export interface FixedRate {
  port: number
  connections: number
  perSecond: number
  seconds: number
  host(n: number): string
}

export interface Latencies {
  /** Milliseconds. */
  p50: number
  p99: number
  done: number
  failed: number
}

interface Line {
  socket: Socket
  /** When the request that is out should have gone. */
  due: number
  busy: boolean
  left: number
}

const TICK_MS = 1

export function loadAtRate({ port, connections, perSecond, seconds, host }: FixedRate): Promise<Latencies> {
  const requests = Array.from({ length: 256 }, (_, n) =>
    Buffer.from(`GET / HTTP/1.1\r\nHost: ${host(n)}\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n`),
  )
  const latencies: number[] = []
  let failed = 0
  let sent = 0
  const waiting: number[] = []
  const idle: Line[] = []
  const send = (line: Line, due: number) => {
    line.busy = true
    line.due = due
    line.socket.write(requests[sent++ % requests.length]!)
  }
  const lines = Array.from({ length: connections }, () => {
    const socket = connect(port, '127.0.0.1').setNoDelay(true)
    const line: Line = { socket, due: 0, busy: false, left: 0 }
    socket.on('connect', () => idle.push(line))
    socket.on('error', () => failed++)
    socket.on('data', (chunk) => {
      // One answer is one segment here: a head and some bytes.
      if (chunk[chunk.length - 1] !== 10) return
      if (chunk[9] !== 50) failed++
      latencies.push(performance.now() - line.due)
      line.busy = false
      const due = waiting.shift()
      if (due === undefined) idle.push(line)
      else send(line, due)
    })
    return line
  })
  return new Promise((resolve) => {
    setTimeout(() => {
      const begun = performance.now()
      let tick = 0
      const timer = setInterval(() => {
        const now = performance.now()
        // Every tick that is over has its share, so that a late timer delays none of them on paper.
        for (; begun + tick * TICK_MS <= now; tick++) {
          const share =
            Math.floor(((tick + 1) * perSecond * TICK_MS) / 1000) -
            Math.floor((tick * perSecond * TICK_MS) / 1000)
          const due = begun + tick * TICK_MS
          for (let i = 0; i < share; i++) {
            const line = idle.shift()
            if (line) send(line, due)
            else waiting.push(due)
          }
        }
        if (now - begun < seconds * 1000) return
        clearInterval(timer)
        setTimeout(() => {
          for (const { socket } of lines) socket.destroy()
          const sorted = Float64Array.from(latencies).sort()
          const at = (share: number) => sorted[Math.floor(sorted.length * share)] ?? Number.NaN
          resolve({ p50: at(0.5), p99: at(0.99), done: latencies.length, failed: failed + waiting.length })
        }, 500)
      }, TICK_MS)
    }, 300)
  })
}

if (import.meta.main) {
  const [port, connections, perSecond, seconds, routes] = process.argv.slice(2).map(Number) as number[]
  const result = await loadAtRate({
    port: port!,
    connections: connections!,
    perSecond: perSecond!,
    seconds: seconds!,
    host: (n) => (routes ? `r${Math.floor((n * routes) / 256)}.test` : 'r0.test'),
  })
  console.log(JSON.stringify(result))
}
