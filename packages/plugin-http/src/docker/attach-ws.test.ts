import { expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { startDockerServer } from '../testing/docker-server.ts'
import type { Program } from '../testing/fake-process.ts'
import { unixFetch } from '../testing/unix-fetch.ts'

const upper: Program = async ({ stdin, write }) => {
  for await (const chunk of stdin) write(1, Buffer.from(chunk).toString().toUpperCase())
  write(2, 'bye')
  return 0
}

/** A WebSocket to the path; what comes, until it is closed. */
function open(socketPath: string, path: string) {
  const socket = new WebSocket(`ws+unix://${socketPath}:${path}`)
  const opened = Promise.withResolvers<void>()
  const closed = Promise.withResolvers<number>()
  const failed = Promise.withResolvers<Error>()
  let text = ''
  const waiting = new Set<() => void>()
  socket.on('open', opened.resolve)
  socket.on('message', (data) => {
    text += String(data)
    for (const check of waiting) check()
  })
  socket.on('close', closed.resolve)
  socket.on('error', (error) => {
    failed.resolve(error)
    opened.reject(error)
  })
  opened.promise.catch(() => {})
  return {
    socket,
    opened: opened.promise,
    closed: closed.promise,
    failed: failed.promise,
    text: () => text,
    until: (wanted: string) =>
      new Promise<void>((resolve) => {
        const check = () => text.includes(wanted) && resolve()
        waiting.add(check)
        check()
      }),
  }
}

it('joins a WebSocket and a container, in both directions', async () => {
  const { socketPath, fakes } = await startDockerServer({ upper })
  const { id } = await fakes.containers.create('web', { Image: 'busybox', Cmd: ['upper'], OpenStdin: true })
  const client = open(socketPath, `/v1.41/containers/${id}/attach/ws?stream=1`)
  await client.opened
  await fakes.containers.start(id)
  client.socket.send('hello ')
  await client.until('HELLO ')
  client.socket.send(Buffer.from('you'))
  await client.until('HELLO YOU')
  await fakes.containers.kill(id)
  client.socket.close()
  await client.closed
})

it('gives what is asked for, and closes at the end', async () => {
  const { socketPath, fakes } = await startDockerServer({
    talk: async ({ write }) => {
      write(1, 'out')
      write(2, 'err')
      return 0
    },
  })
  const { id } = await fakes.containers.create('web', { Image: 'busybox', Cmd: ['talk'] })
  const client = open(socketPath, `/containers/${id}/attach/ws?stream=1&stdout=1&stderr=1`)
  await client.opened
  await fakes.containers.start(id)
  await client.closed
  expect(client.text()).toBe('outerr')
})

it('refuses what is no handshake, and who is not there', async () => {
  const { socketPath, fakes } = await startDockerServer()
  await fakes.containers.create('web', { Image: 'busybox' })
  expect((await unixFetch(socketPath, 'GET', '/containers/web/attach/ws')).status).toBe(400)
  const ghost = open(socketPath, '/containers/ghost/attach/ws?stream=1')
  expect((await ghost.failed).message).toContain('404')
})
