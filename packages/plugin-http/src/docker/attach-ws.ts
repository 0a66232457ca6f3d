import { invalid } from '@kernel/contracts'
import { createWebSocketStream, WebSocketServer } from 'ws'
import { parseDetachKeys } from './detach-keys.ts'
import { boolQuery, pathName } from './queries.ts'
import { finish, pump } from './streams.ts'
import type { DockerContext, DockerServices } from './types.ts'

/** Bytes of one message of a client: somebody types, or pastes. */
const largestMessage = 1 << 20

/** `GET /containers/{id}/attach/ws`: attach for browsers; both streams come as they are, without frames. */
export function attachWebSocketHandlers({ containers }: Pick<DockerServices, 'containers'>) {
  const server = new WebSocketServer({ noServer: true, maxPayload: largestMessage, clientTracking: false })

  async function attachWebSocket(context: DockerContext): Promise<Response> {
    const id = pathName(context)
    // Before 1.42 all three were there whatever was asked for.
    const chooses = context.var.version.minor >= 42
    const wanted = {
      stdin: !chooses || boolQuery(context, 'stdin'),
      stdout: !chooses || boolQuery(context, 'stdout'),
      stderr: !chooses || boolQuery(context, 'stderr'),
      stream: boolQuery(context, 'stream'),
      logs: boolQuery(context, 'logs'),
    }
    const detachKeys = parseDetachKeys(context.req.query('detachKeys'))
    const { Config } = await containers.inspect(id)
    if (context.req.header('upgrade')?.toLowerCase() !== 'websocket')
      throw invalid('This request has to be a WebSocket handshake')
    const stream = await containers.attach(id, wanted)
    const { env } = context
    const { request, socket } = env.takeUpgrade()
    // Where the handshake is bad it answers 400 itself, and nobody is attached any more.
    socket.once('close', () => stream.detach())
    server.handleUpgrade(request, socket, Buffer.alloc(0), (webSocket) => {
      const connection = createWebSocketStream(webSocket)
      connection.on('error', () => stream.detach())
      void pump(connection, stream, {
        stdin: wanted.stdin && wanted.stream,
        encode: ({ data }) => data,
        signal: env.signal,
        ...(Config.Tty && { detachKeys }),
      }).finally(() => finish(connection))
    })
    return env.hijacked
  }

  return { attachWebSocket }
}
