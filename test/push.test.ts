import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import WebSocket from 'ws'
import { lacksContainers } from './harness/host.ts'
import { examples } from './harness/product.ts'
import { Repository } from './harness/repository.ts'
import { appJson, nodeApp, webSocketApp } from './harness/sources.ts'
import { eventually } from './harness/until.ts'
import { useDaemon } from './harness/use-daemon.ts'
import { fetchPage, visitDuring } from './harness/visitor.ts'

describe.skipIf(lacksContainers('pushes'))('a push', () => {
  const lab = useDaemon()

  it('of a Node app ends with the URL, where it answers', async () => {
    const { daemon } = lab
    const repository = await Repository.create(daemon, 'hello', `${examples}/hello-node`)
    const { code, output } = await repository.push()
    expect(code).toBe(0)
    const lines = output.split('\n')
    expect(lines).toContainEqual(expect.stringMatching(/^-----> Received [0-9a-f]{7} of main for hello$/))
    expect(lines).toContain('-----> Building hello with the builder node')
    expect(lines).toContain('-----> Releasing v1 of hello')
    expect(lines).toContain('       web.1 is ready')
    const deployed = lines.indexOf('=====> Application deployed:')
    expect(lines[deployed + 1]).toBe(`       ${daemon.url('hello').slice(0, -1)}`)
    const sent = lines.slice(0, deployed + 2).filter((line) => line !== '')
    expect(sent.filter((line) => !/^(-----> |=====> | {7})/.test(line))).toEqual([])

    const page = await fetchPage(daemon.url('hello'))
    expect(page).toMatchObject({ status: 200, body: expect.stringContaining('Release v1') })
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8')
  })

  it('of a static site is served', async () => {
    const { daemon } = lab
    const repository = await Repository.create(daemon, 'site', `${examples}/hello-static`)
    expect((await repository.deploy()).output).toContain('-----> Building site with the builder static')
    const page = await fetchPage(daemon.url('site'))
    expect(page).toMatchObject({ status: 200, body: expect.stringContaining('Hello from a static site') })
    expect((await fetchPage(`${daemon.url('site')}missing.html`)).status).toBe(404)
  })

  it('of a Dockerfile builds by it', async () => {
    const { daemon } = lab
    const repository = await Repository.create(daemon, 'box', `${examples}/hello-dockerfile`)
    const { output } = await repository.deploy()
    expect(output).toContain('-----> Building box with the builder dockerfile')
    expect(output).toMatch(/^ {7}Step 2\/\d+ : WORKDIR \/app$/m)
    expect(await fetchPage(daemon.url('box'))).toMatchObject({
      status: 200,
      body: 'Hello from a Dockerfile\n',
    })
  })

  it('of a Procfile runs its release task once, then every process', async () => {
    const { daemon } = lab
    const repository = await Repository.create(daemon, 'shop', {
      Procfile:
        'web: node web.mjs\nworker: while true; do echo "worked for $TEAM"; sleep 1; done\nrelease: echo "migrated by $KERNEL_APP"\n',
      'web.mjs':
        "import { createServer } from 'node:http'\ncreateServer((_, r) => r.end('shop')).listen(process.env.PORT)",
      ...appJson({ formation: { web: { quantity: 1 }, worker: { quantity: 1 } }, env: { TEAM: 'sales' } }),
    })
    const { output } = await repository.deploy()
    expect(output).toContain('migrated by shop')
    expect(output).toContain('       worker.1 is ready')
    expect(await fetchPage(daemon.url('shop'))).toMatchObject({ status: 200, body: 'shop' })
    const { processes } = await daemon.json<{ processes: Array<{ name: string; status: string }> }>([
      'ps:report',
      'shop',
    ])
    expect(processes.map(({ name, status }) => `${name} ${status}`)).toEqual([
      'web.1 running',
      'worker.1 running',
    ])
    await eventually(async () =>
      expect((await daemon.kernel(['logs', 'shop', '-p', 'worker'])).stdout).toMatch(
        /app\[worker\.1\]: worked for sales/,
      ),
    )
  })

  it('of a change replaces the content without a failed request', async () => {
    const { daemon } = lab
    const repository = await Repository.create(daemon, 'page', nodeApp('one'))
    await repository.deploy()
    for (const [before, after] of [
      ['one', 'two'],
      ['two', 'three'],
    ] as const) {
      await repository.commit(nodeApp(after))
      const { seen } = await visitDuring(daemon.url('page'), () => repository.deploy())
      for (const visitor of seen)
        expect(visitor).toEqual({
          requests: expect.any(Number),
          answers: [`200 ${before}`, `200 ${after}`],
          failures: [],
        })
    }
    const up = await repository.push()
    expect([up.code, up.output.trim()]).toEqual([0, 'Everything up-to-date'])
  })

  it('leaves connections alone that stay open, such as WebSockets', async () => {
    const { daemon } = lab
    const repository = await Repository.create(daemon, 'chat', webSocketApp('old'))
    await repository.deploy()
    const open = async () => {
      const headers = { host: `chat.e2e.test:${daemon.ports.http}` }
      const socket = new WebSocket(`ws://127.0.0.1:${daemon.ports.http}/`, { headers })
      await once(socket, 'open')
      return socket
    }
    const say = async (socket: WebSocket, text: string) => {
      const answer = once(socket, 'message')
      socket.send(text)
      return String((await answer)[0])
    }
    const early = await open()
    expect(await say(early, 'hi')).toBe('old hi')
    await repository.commit(webSocketApp('new'))
    await repository.deploy()
    const late = await open()
    expect([await say(early, 'still here'), await say(late, 'hi')]).toEqual(['old still here', 'new hi'])
    early.close()
    late.close()
  })

  it('that comes while another waits takes its place', async () => {
    const { daemon } = lab
    const source = (text: string) =>
      nodeApp(text, {
        Dockerfile: 'FROM kernel/base:latest\nCOPY . /app\nRUN sleep 2\nCMD ["node", "/app/server.js"]\n',
      })
    const repositories = []
    for (const text of ['first', 'second', 'third'])
      repositories.push(await Repository.create(daemon, 'queue', source(text)))
    const [first, second, third] = repositories as [Repository, Repository, Repository]
    const said = (marker: string) => {
      let output = ''
      let found = () => {}
      const heard = new Promise<void>((resolve) => {
        found = resolve
      })
      return {
        heard,
        onOutput(text: string) {
          output += text
          if (output.includes(marker)) found()
        },
      }
    }
    const building = said('RUN sleep')
    const received = said('Received')
    const pushes = [first.push({ onOutput: building.onOutput })]
    await building.heard
    pushes.push(second.push({ onOutput: received.onOutput }))
    await received.heard
    pushes.push(third.push())
    const [one, two, three] = await Promise.all(pushes)
    expect(one?.code, one?.output).toBe(0)
    expect(two?.code, two?.output).toBe(1)
    expect(three?.code, three?.output).toBe(0)
    expect(two?.output).toMatch(/^ ! {5}.*newer push/m)
    expect(await fetchPage(daemon.url('queue'))).toMatchObject({ body: 'third' })
    const deploys = await daemon.json<Array<{ status: string }>>(['deploys:list', 'queue'])
    expect(deploys.map(({ status }) => status).sort()).toEqual(['succeeded', 'succeeded', 'superseded'])
  })

  it('goes on where its pusher hangs up', async () => {
    const { daemon } = lab
    const repository = await Repository.create(daemon, 'gone', nodeApp('before'))
    await repository.deploy()
    await repository.commit(nodeApp('after'))
    await repository.push({
      onSpawn(child) {
        let output = ''
        child.stderr?.on('data', (text) => {
          output += text
          if (output.includes('Received')) child.kill('SIGKILL')
        })
      },
    })
    await eventually(async () => expect((await fetchPage(daemon.url('gone'))).body).toBe('after'))
    await eventually(async () =>
      expect((await repository.git(['ls-remote', repository.remote, 'main'])).slice(0, 40)).toBe(
        (await repository.git(['rev-parse', 'HEAD'])).trim(),
      ),
    )
  })
})
