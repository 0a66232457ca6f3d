/** Small apps to push. @module */
import { randomBytes } from 'node:crypto'
import type { Files } from './repository.ts'

/** Answers `body()` on PORT; finishes what it is answering when it is asked to stop. */
const server = (body: string) => `
import { createServer } from 'node:http'
const server = createServer((request, response) => ${body})
server.listen(process.env.PORT, () => console.log('listening on ' + process.env.PORT))
process.on('SIGTERM', () => server.close(() => process.exit(0)))
`

const manifest = (start = 'node server.js') =>
  JSON.stringify({ name: 'app', private: true, type: 'module', scripts: { start } })

/** A Node app that answers `text`, on every path. */
export const nodeApp = (text: string, more: Files = {}): Files => ({
  'package.json': manifest(),
  'server.js': server(`response.end(${JSON.stringify(text)})`),
  ...more,
})

/** A Node app whose answer is an expression: \`process.env.GREETING\`. */
export const nodeAnswering = (expression: string, more: Files = {}): Files => ({
  'package.json': manifest(),
  'server.js': server(`response.end(String(${expression}))`),
  ...more,
})

/** A Node app with a server of its own making. */
export const nodeProgram = (program: string, more: Files = {}): Files => ({
  'package.json': manifest(),
  'server.js': program,
  ...more,
})

export const appJson = (content: object): Files => ({ 'app.json': JSON.stringify(content) })

/** A file that no compression makes small: what is left of it somewhere shows. */
export const ballast = (megabytes: number): Files => ({
  'ballast.txt': randomBytes(megabytes * 786_432).toString('base64'),
})
