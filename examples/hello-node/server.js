import { createServer } from 'node:http'

const port = Number(process.env.PORT ?? 5000)
const started = new Date()

const server = createServer((request, response) => {
  if (request.url === '/healthz') return response.end('ok\n')
  response.setHeader('content-type', 'text/html; charset=utf-8')
  response.end(`<!doctype html>
<title>hello</title>
<h1>Hello from ${process.env.KERNEL_APP ?? 'hello'}</h1>
<p>Release ${process.env.KERNEL_RELEASE ?? '(none)'}, Node ${process.version}, up since ${started.toISOString()}.</p>
`)
})

server.listen(port, () => console.log(`listening on ${port}`))

// Finish what is being answered, then go: the platform sends SIGTERM when a newer release took over.
process.on('SIGTERM', () => server.close(() => process.exit(0)))
