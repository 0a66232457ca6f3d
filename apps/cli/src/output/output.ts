/** What a command prints: tables and lines for people, JSON for machines, colours only on a TTY. @module */

import type { DeployLine } from '@kernel/contracts'
import Table from 'cli-table3'
import { createColors } from 'picocolors'

export interface OutputOptions {
  format: 'text' | 'json'
  quiet: boolean
  stdout: NodeJS.WritableStream
  stderr: NodeJS.WritableStream
  /** Colours; where undefined: a TTY without NO_COLOR. */
  colour?: boolean
}

export class Output {
  readonly json: boolean
  readonly quiet: boolean
  readonly #stdout: NodeJS.WritableStream
  readonly #stderr: NodeJS.WritableStream
  readonly colours: ReturnType<typeof createColors>

  constructor({ format, quiet, stdout, stderr, colour }: OutputOptions) {
    this.json = format === 'json'
    this.quiet = quiet
    this.#stdout = stdout
    this.#stderr = stderr
    const isTty = (stdout as NodeJS.WriteStream).isTTY === true
    this.colours = createColors(colour ?? (isTty && !process.env.NO_COLOR && process.env.TERM !== 'dumb'))
  }

  /** A value: as JSON where asked for, else by the function that prints it for people. */
  value(value: unknown, print: () => void): void {
    if (this.json) this.line(JSON.stringify(value, null, 2))
    else print()
  }

  line(text = ''): void {
    this.#stdout.write(`${text}\n`)
  }

  raw(data: string | Uint8Array): boolean {
    return this.#stdout.write(data)
  }

  /** Columns without borders, as `docker ps` has them. */
  table(head: string[], rows: Array<Array<string | number | undefined>>): void {
    const table = new Table({
      head: this.quiet ? [] : head.map((title) => this.colours.bold(title.toUpperCase())),
      chars: Object.fromEntries(
        [
          'top',
          'top-mid',
          'top-left',
          'top-right',
          'bottom',
          'bottom-mid',
          'bottom-left',
          'bottom-right',
          'left',
          'left-mid',
          'mid',
          'mid-mid',
          'right',
          'right-mid',
        ]
          .map((k) => [k, ''])
          .concat([['middle', '   ']]),
      ),
      style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [], compact: true },
    })
    for (const row of rows) table.push(row.map((cell) => (cell === undefined ? '' : String(cell))))
    const text = table.toString()
    if (text) this.line(text.replace(/[ ]+$/gm, ''))
  }

  /** `key: value` lines under a heading, as Dokku's reports are. */
  report(title: string, entries: Record<string, string | number | boolean | undefined>): void {
    this.line(`${this.colours.bold('=====>')} ${title}`)
    const width = Math.max(...Object.keys(entries).map((key) => key.length)) + 2
    for (const [key, value] of Object.entries(entries))
      this.line(
        `       ${`${key}:`.padEnd(width)} ${value === undefined || value === '' ? '' : value}`.trimEnd(),
      )
  }

  /** A line of a deploy in Dokku's form; NDJSON for machines. */
  deploy(line: DeployLine): void {
    if (this.json) {
      this.line(JSON.stringify(line))
      return
    }
    const { bold, red } = this.colours
    if (line.kind === 'section') this.line(`${bold('=====>')} ${line.text}`)
    else if (line.kind === 'step') this.line(`${bold('----->')} ${line.text}`)
    else if (line.kind === 'error') this.#stderr.write(`${red(' !     ')}${line.text}\n`)
    else if (!this.quiet) this.line(`       ${line.text}`)
  }

  error(message: string, hint?: string): void {
    const { red, dim } = this.colours
    if (this.json)
      this.#stderr.write(`${JSON.stringify({ error: { message, ...(hint ? { hint } : {}) } })}\n`)
    else {
      for (const line of message.split('\n')) this.#stderr.write(`${red(' !     ')}${line}\n`)
      if (hint) this.#stderr.write(`       ${dim(hint)}\n`)
    }
  }
}
