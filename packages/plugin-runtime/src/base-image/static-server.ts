/**
 * The web server of apps made by the static builder. It stands in the base image as
 * /opt/kernel/static-server.mjs, and is run on the host by the process driver.
 *
 * `node static-server.mjs [folder]`: serves the folder (default: the current one) on PORT. `200.html` makes a
 * single-page app of it, `404.html` is the page for what is missing.
 * @module
 */
import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join, resolve } from 'node:path'
import sirv from 'sirv'

const folder = resolve(process.argv[2] ?? process.env.STATIC_ROOT ?? '.')
const port = Number(process.env.PORT ?? 5000)
const notFoundPage = join(folder, '404.html')

const serve = sirv(folder, {
  etag: true,
  gzip: true,
  brotli: true,
  dotfiles: false,
  single: existsSync(join(folder, '200.html')) ? '200.html' : false,
  onNoMatch(request, response) {
    response.statusCode = 404
    if (!existsSync(notFoundPage)) {
      response.setHeader('content-type', 'text/plain; charset=utf-8')
      response.end('Not found\n')
      return
    }
    response.setHeader('content-type', 'text/html; charset=utf-8')
    response.end(request.method === 'HEAD' ? undefined : readFileSync(notFoundPage))
  },
})

const server = createServer((request, response) => {
  if (request.method === 'GET' || request.method === 'HEAD') {
    serve(request, response)
    return
  }
  response.writeHead(405, { allow: 'GET, HEAD' }).end()
})
server.keepAliveTimeout = 75_000
server.listen(port, () => console.log(`serving ${folder} on ${port}`))
process.on('SIGTERM', () => server.close(() => process.exit(0)))
