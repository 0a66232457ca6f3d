/** A real ACME server on this machine, for tests alone: Let's Encrypt's pebble. @module */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import type { CertificateFiles } from './openssl.ts'
import { freePorts } from './ports.ts'
import { until } from './until.ts'

export interface PebbleOptions {
  /** For its files. */
  dir: string
  /** Its own, for localhost. */
  certificate: CertificateFiles
  /** Where it looks for challenges: the edge's. */
  ports: { http: number; https: number }
  /** Seconds that its certificates hold. */
  validSec: number
}

export class Pebble {
  /** URL. */
  readonly directory: string
  readonly #management: number
  readonly #ca: string
  readonly #processes: ChildProcess[]
  readonly #logFile: string

  private constructor(
    directory: string,
    management: number,
    ca: string,
    processes: ChildProcess[],
    logFile: string,
  ) {
    this.directory = directory
    this.#management = management
    this.#ca = ca
    this.#processes = processes
    this.#logFile = logFile
  }

  /** Starts it with a DNS server to which every name is 127.0.0.1. */
  static async open({ dir, certificate, ports, validSec }: PebbleOptions): Promise<Pebble> {
    const [listen = 0, management = 0, dns = 0, challenges = 0] = await freePorts(4)
    const config = join(dir, 'pebble.json')
    writeFileSync(
      config,
      JSON.stringify({
        pebble: {
          listenAddress: `127.0.0.1:${listen}`,
          managementListenAddress: `127.0.0.1:${management}`,
          certificate: certificate.certFile,
          privateKey: certificate.keyFile,
          httpPort: ports.http,
          tlsPort: ports.https,
          ocspResponderURL: '',
          externalAccountBindingRequired: false,
          certificateValidityPeriod: validSec,
        },
      }),
    )
    const logFile = join(dir, 'pebble.log')
    const log = openSync(logFile, 'a')
    const stdio = ['ignore', log, log] as const
    const nothing = ['-http01', '', '-https01', '', '-tlsalpn01', '']
    const processes = [
      spawn(
        'pebble-challtestsrv',
        [...nothing, '-dns01', `127.0.0.1:${dns}`, '-management', `127.0.0.1:${challenges}`].concat([
          '-defaultIPv4',
          '127.0.0.1',
          '-defaultIPv6',
          '',
        ]),
        { stdio: [...stdio] },
      ),
      spawn('pebble', ['-config', config, '-dnsserver', `127.0.0.1:${dns}`], {
        stdio: [...stdio],
        // Challenges are looked for at once, and each time anew; some requests are refused on purpose, as by others.
        env: { ...process.env, PEBBLE_VA_NOSLEEP: '1', PEBBLE_AUTHZREUSE: '0', PEBBLE_WFE_NONCEREJECT: '10' },
      }),
    ]
    closeSync(log)
    const pebble = new Pebble(
      `https://localhost:${listen}/dir`,
      management,
      certificate.cert,
      processes,
      logFile,
    )
    try {
      await until('pebble answers', () => pebble.root().then(() => true))
    } catch (error) {
      await pebble.close()
      throw new Error(`${(error as Error).message}\n${pebble.log()}`)
    }
    return pebble
  }

  /** The certificate that stands above all that it gives. */
  root(): Promise<string> {
    return new Promise((resolve, reject) => {
      const ask = request(
        {
          host: '127.0.0.1',
          port: this.#management,
          path: '/roots/0',
          ca: this.#ca,
          servername: 'localhost',
        },
        (answer) => {
          let text = ''
          answer.setEncoding('utf8').on('data', (piece: string) => {
            text += piece
          })
          answer.once('error', reject)
          answer.once('end', () => resolve(text))
        },
      )
      ask.once('error', reject)
      ask.end()
    })
  }

  log(): string {
    return readFileSync(this.#logFile, 'utf8').trimEnd().split('\n').slice(-30).join('\n')
  }

  async close(): Promise<void> {
    await Promise.all(
      this.#processes.map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
        const ended = once(child, 'exit')
        child.kill('SIGKILL')
        await ended
      }),
    )
  }
}
