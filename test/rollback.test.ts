/** Going back to a release: at once from the freezer, soon with new processes; without a failed request. */
import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { Repository } from './harness/repository.ts'
import { nodeProgram } from './harness/sources.ts'
import { eventually } from './harness/until.ts'
import { useDaemon } from './harness/use-daemon.ts'
import { fetchPage, visitDuring } from './harness/visitor.ts'

/** Answers its word, its configuration, and whether this is the process that was told a word before. */
const program = (word: string) => `
import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
let told = 'nothing'
const sockets = new Set()
const server = createServer((request, response) => {
  const word = /^\\/tell\\/(\\w+)/.exec(request.url)?.[1]
  if (word) told = word
  response.end('${word} ' + (process.env.TEAM ?? 'nobody') + ' ' + told)
})
// A WebSocket that is closed in order when the process is asked to stop (RFC 6455, 1001: going away).
server.on('upgrade', ({ headers }, socket) => {
  const accept = createHash('sha1')
    .update(headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64')
  const answer = ['HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade', 'Upgrade: websocket']
  socket.write([...answer, 'Sec-WebSocket-Accept: ' + accept, '', ''].join('\\r\\n'))
  sockets.add(socket)
  socket.on('error', () => {})
})
server.listen(process.env.PORT)
process.on('SIGTERM', () => {
  for (const socket of sockets) socket.end(Buffer.from([0x88, 2, 0x03, 0xe9]))
  server.close(() => process.exit(0))
  setTimeout(() => process.exit(0), 500)
})
`

interface Release {
  id: string
  current: boolean
  frozen?: boolean
}

describe('a rollback', () => {
  const lab = useDaemon()
  let repository: Repository
  const page = async (path = '') => (await fetchPage(lab.daemon.url('back') + path)).body
  const containers = async () => {
    const { stdout } = await lab.daemon.docker(['ps', '-a', '--format', '{{.Names}} {{.Status}}'])
    return stdout
      .split('\n')
      .filter((line) => line.startsWith('back.'))
      .map((line) => (line.includes('(Paused)') ? 'paused' : 'up'))
      .sort()
  }
  const frozen = async () =>
    (await lab.daemon.json<Release[]>(['releases:list', 'back']))
      .filter((one) => one.frozen)
      .map(({ id }) => id)
  const standsStill = () => eventually(async () => expect(await containers()).toEqual(['paused', 'up']))

  it('starts the release before anew, with its configuration', async () => {
    const { daemon } = lab
    repository = await Repository.create(daemon, 'back', nodeProgram(program('one')))
    await repository.deploy()
    await daemon.kernel(['config:set', 'back', 'TEAM=red'])
    await repository.commit(nodeProgram(program('two')))
    await repository.deploy()
    await daemon.kernel(['config:set', '--no-restart', 'back', 'TEAM=blue'])
    const { seen } = await visitDuring(daemon.url('back'), () =>
      daemon.kernel(['releases:rollback', 'back', '2']),
    )
    for (const { answers, failures } of seen)
      expect({ answers, failures }).toEqual({
        answers: ['200 two red nothing', '200 one red nothing'],
        failures: [],
      })
    await daemon.kernel(['releases:rollback', 'back', '99'], { code: 3 })
    const refused = await daemon.kernel(['releases:rollback', 'back', '--frozen'], { code: 4 })
    expect(refused.stderr).toContain('apps:set back keep-frozen 1')
  })

  it('from the freezer brings the very processes back, and freezes those of now', async () => {
    const { daemon } = lab
    await daemon.kernel(['apps:set', 'back', 'keep-frozen', '1'])
    await page('tell/apple')
    await repository.commit(nodeProgram(program('three')))
    await repository.deploy()
    await page('tell/pear')
    await standsStill()
    expect(await frozen()).toEqual(['v4'])
    expect((await daemon.kernel(['releases:list', 'back'])).stdout).toMatch(/v4 .*rollback \(frozen\)/)
    for (const [before, after] of [
      ['three red pear', 'one red apple'],
      ['one red apple', 'three red pear'],
    ]) {
      const { seen } = await visitDuring(daemon.url('back'), () =>
        daemon.kernel(['releases:rollback', 'back', '--frozen']),
      )
      for (const { answers, failures } of seen)
        expect({ answers, failures }).toEqual({ answers: [`200 ${before}`, `200 ${after}`], failures: [] })
      await standsStill()
    }
    expect(await daemon.json(['ps:report', 'back'])).toMatchObject({
      state: 'running',
      processes: [{ name: 'web.1', status: 'running', release: 'v7' }],
    })
    expect((await daemon.json<{ frozen: string[] }>(['apps:report', 'back'])).frozen).toEqual(['v6'])
  })

  it.each(['SIGKILL', 'SIGTERM'] as const)(
    'from the freezer works after a %s of the daemon',
    async (signal) => {
      const { daemon } = lab
      const before = await page()
      await daemon.stop(signal)
      await daemon.start()
      expect(await page()).toBe(before)
      await standsStill()
      await daemon.kernel(['releases:rollback', 'back', '--frozen'])
      expect(await page()).toBe(before === 'three red pear' ? 'one red apple' : 'three red pear')
      await standsStill()
    },
  )

  it('starts anew what has died in the freezer, and what is frozen ends with its app', async () => {
    const { daemon } = lab
    const { stdout } = await daemon.docker(['ps', '-q', '--filter', 'status=paused'])
    await daemon.docker(['kill', stdout.trim()])
    await eventually(async () => expect(await containers()).toEqual(['up']))
    expect(await frozen()).toEqual([])
    await daemon.kernel(['releases:rollback', 'back', '--frozen'], { code: 4 })
    await daemon.kernel(['releases:rollback', 'back'])
    await standsStill()
    await daemon.kernel(['ps:stop', 'back'])
    expect(await containers()).toEqual([])
    await daemon.kernel(['ps:start', 'back'])
    await daemon.kernel(['config:set', 'back', 'TEAM=green'])
    await standsStill()
    await daemon.kernel(['apps:set', 'back', 'keep-frozen'])
    expect(await containers()).toEqual(['up'])
  })

  it('waits for open connections as long as it is told, then has them closed, and freezes', async () => {
    const { daemon } = lab
    await daemon.kernel(['apps:set', 'back', 'keep-frozen', '1'])
    await daemon.kernel(['checks:set', 'back', 'wait-to-retire', '2'])
    const headers = { host: `back.e2e.test:${daemon.ports.http}` }
    const socket = new WebSocket(`ws://127.0.0.1:${daemon.ports.http}/`, { headers })
    await once(socket, 'open')
    const closed = once(socket, 'close')
    let isOpen = true
    void closed.then(() => {
      isOpen = false
    })
    const before = await page()
    await daemon.kernel(['releases:rollback', 'back'])
    const begun = Date.now()
    expect(await page()).not.toBe(before)
    expect([isOpen, await containers()]).toEqual([true, ['up', 'up']])
    // "Service restart", by the edge: no visitor is left hanging in the freezer.
    expect((await closed)[0]).toBe(1012)
    expect(Date.now() - begun).toBeGreaterThan(1000)
    await standsStill()
    expect(await frozen()).toHaveLength(1)
  })
})

describe('without containers', () => {
  const lab = useDaemon({ args: ['--driver', 'process'] })

  it('a rollback from the freezer brings the very processes back', async () => {
    const { daemon } = lab
    const repository = await Repository.create(daemon, 'bare', nodeProgram(program('one')))
    await repository.deploy()
    const page = async (path = '') => (await fetchPage(daemon.url('bare') + path)).body
    await page('tell/apple')
    await daemon.kernel(['apps:set', 'bare', 'keep-frozen', '1'])
    await repository.commit(nodeProgram(program('two')))
    await repository.deploy()
    expect(await page()).toBe('two nobody nothing')
    await daemon.kernel(['releases:rollback', 'bare', '--frozen'])
    expect(await page()).toBe('one nobody apple')
  })
})
