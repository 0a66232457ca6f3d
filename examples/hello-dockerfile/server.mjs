import { createServer } from 'node:http'

createServer((_, response) => response.end(`${process.env.GREETING}\n`)).listen(process.env.PORT ?? 5000)
