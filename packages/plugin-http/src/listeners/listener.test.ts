import { spawn } from 'node:child_process'
import { once } from 'node:events'
import net from 'node:net'
import { fileURLToPath } from 'node:url'
import { expect, it, onTestFinished } from 'vitest'

it('answers on a socket that the service manager opened, and keeps it from children', async () => {
  const passed = net.createServer()
  await new Promise<void>((resolve) => passed.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void (passed.listening && passed.close()))
  const { port } = passed.address() as net.AddressInfo
  const { fd } = (passed as unknown as { _handle: { fd: number } })._handle
  const script = fileURLToPath(new URL('../testing/passed-socket.ts', import.meta.url))
  const child = spawn(process.execPath, ['--conditions=source', script], {
    stdio: ['pipe', 'pipe', 'inherit', fd],
    env: { PATH: process.env.PATH, LISTEN_FDS: '1', LISTEN_FDNAMES: 'api' },
  })
  onTestFinished(async () => {
    child.kill()
    if (child.exitCode === null) await once(child, 'exit')
  })
  const [line] = await once(child.stdout!, 'data')
  expect(JSON.parse(String(line))).toEqual({ addresses: [`http://127.0.0.1:${port}`], inherited: false })
  // Both hold the socket now; a connection must not come to this side, where nobody answers.
  await new Promise((resolve) => passed.close(resolve))
  expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(404)
})
