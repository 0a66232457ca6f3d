import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  messageOf,
  newWorld,
  type Running,
  settings,
  snapshot,
  startPlugin,
  textOf,
  tree,
  until,
  type World,
} from './testing/harness.ts'

let world: World
let plugin: Running
beforeEach(async () => {
  world = await newWorld()
  plugin = await startPlugin(world)
  await plugin.apps.create('hello')
})
afterEach(async () => {
  await plugin.stop()
  await world.close()
})

const refused = (work: Promise<unknown>) =>
  work.then(
    () => expect.unreachable('it was accepted'),
    (error) => error as Error & { lines: never[] },
  )

describe('a push', () => {
  it('builds, starts, routes and tells the address last', async () => {
    const { release, urls, lines } = await plugin.push('hello', tree())
    expect({ release, urls }).toEqual({ release: 'v1', urls: ['http://hello.localhost:8080'] })
    expect(lines.slice(-2)).toEqual([
      { kind: 'section', text: 'Application deployed:' },
      { kind: 'detail', text: 'http://hello.localhost:8080' },
    ])
    expect(lines.at(-3)?.text).toMatch(/^extract .*build .*release .*start .*check .*switch .*total \d/)
    expect(world.scheduler.running('hello')).toEqual(['web.1@v1'])
    const [route] = await world.router.list()
    expect(route).toMatchObject({ host: 'hello.localhost', path: '', state: 'up' })
    expect(route?.targets).toHaveLength(1)
    expect(await plugin.apps.report('hello')).toMatchObject({
      state: 'running',
      release: 'v1',
      scale: { web: 1, worker: 0 },
      deployBranch: 'main',
      builder: { detected: 'procfile' },
      processes: { web: 1 },
    })
    await until('the name', async () => (await world.scheduler.list())[0]?.name === 'hello.web.1')
  })

  it('gives processes the config, the port and their name, and nothing by argv', async () => {
    await plugin.config.update('global', { set: { LEVEL: 'info', SHARED: 'global' } })
    await plugin.config.update('hello', { set: { SHARED: 'own', SECRET: 's3cret' } })
    const { rev, lines } = await plugin.push('hello', tree())
    const [spec] = world.scheduler.specs
    expect(spec?.command).toEqual(['/bin/sh', '-c', 'exec node server.js'])
    expect(spec?.port).toBe(5000)
    expect(spec?.env).toEqual({
      LEVEL: 'info',
      SHARED: 'own',
      SECRET: 's3cret',
      PORT: '5000',
      KERNEL_APP: 'hello',
      KERNEL_RELEASE: 'v1',
      KERNEL_PROCESS: 'web.1',
      GIT_REV: rev,
    })
    const told = JSON.stringify([world.events.published.map(({ Actor }) => Actor), lines, plugin.log.entries])
    expect(told).not.toContain('s3cret')
    expect(world.scheduler.builds[0]?.secretEnv.SECRET).toBe('s3cret')
    expect(world.scheduler.builds[0]?.plan.buildArgs).toBeUndefined()
  })

  it('asks for the port of the config, else the one that the image exposes', async () => {
    const dockerfile = { Dockerfile: 'FROM x', 'behaviour.json': JSON.stringify({ expose: '8000/tcp' }) }
    await plugin.push('hello', dockerfile)
    expect(world.scheduler.specs.at(-1)).toMatchObject({ port: 8000, env: { PORT: '8000' } })
    expect(world.scheduler.specs.at(-1)?.command).toBeUndefined()
    await plugin.config.update('hello', { set: { PORT: '7000' } })
    expect(world.scheduler.specs.at(-1)).toMatchObject({ port: 7000, env: { PORT: '7000' } })
  })

  it('keeps its output for later, with the same lines', async () => {
    const { lines } = await plugin.push('hello', tree())
    const [deploy] = await plugin.deploys.list('hello')
    expect(deploy).toMatchObject({ status: 'succeeded', release: 'v1', user: 'ada' })
    const kept = []
    for await (const { kind, text } of plugin.deploys.output(deploy?.id as string)) kept.push({ kind, text })
    // The first line comes before the deploy has its turn.
    expect(kept).toEqual(lines.slice(1))
    expect(deploy?.spans.map(({ stage }) => stage).slice(0, 6)).toEqual([
      'extract',
      'build',
      'release',
      'start',
      'check',
      'switch',
    ])
  })

  it('warns of push options that mean nothing here', async () => {
    const { lines } = await plugin.push('hello', tree(), { options: ['plan'] })
    expect(textOf(lines)).toContain('"plan" is unknown')
  })

  it('scales a type that a later push adds as app.json says', async () => {
    await plugin.push('hello', tree({}, { Procfile: 'web: node server.js\n' }))
    const files = {
      Procfile: 'web: node server.js\nworker: node worker.js\n',
      'app.json': JSON.stringify({ formation: { worker: { quantity: 1 } } }),
    }
    await plugin.push('hello', tree({ content: '2' }, files))
    await until('the switch', () => world.scheduler.running('hello').join() === 'web.1@v2,worker.1@v2')
  })

  it('makes the defaults and the formation of app.json count as long as nothing else was set', async () => {
    const appJson = {
      env: { GREETING: 'hi', TOKEN: { generator: 'secret' }, MAYBE: { required: false } },
      formation: { web: { quantity: 2 }, worker: { quantity: 1 } },
    }
    await plugin.config.update('hello', { set: { GREETING: 'mine' } })
    await plugin.push('hello', tree({}, { 'app.json': JSON.stringify(appJson) }))
    const config = await plugin.config.all('hello')
    expect(config.GREETING).toBe('mine')
    expect(config.TOKEN).toMatch(/^[0-9a-f]{64}$/)
    expect(Object.keys(config)).toHaveLength(2)
    expect(world.scheduler.running('hello')).toEqual(['web.1@v1', 'web.2@v1', 'worker.1@v1'])
    await plugin.processes.scale('hello', { web: 1, worker: 0 })
    await plugin.push('hello', tree({ content: '2' }, { 'app.json': JSON.stringify(appJson) }))
    await until('the switch', () => world.scheduler.running('hello').join() === 'web.1@v2')
    expect((await plugin.config.all('hello')).TOKEN).toBe(config.TOKEN)
  })
})

describe('the edges of the pipeline', () => {
  it('refuses a branch that is not deployed, and says how to deploy it', async () => {
    const error = await refused(plugin.push('hello', tree(), { branch: 'feature' }))
    expect(messageOf(error)).toBe(
      'hello deploys the branch main or master, not feature: nothing was deployed',
    )
    expect((error.cause as { hint?: string }).hint).toContain('apps:set hello deploy-branch feature')
    await plugin.push('hello', tree(), { branch: 'master' })
    expect(messageOf(await refused(plugin.push('hello', tree())))).toContain(
      'deploys the branch master, not main',
    )
    await plugin.apps.set('hello', 'deploy-branch', 'feature')
    expect((await plugin.push('hello', tree(), { branch: 'feature' })).release).toBe('v2')
  })

  it('lets the newer of two waiting pushes win, and the running one finish', async () => {
    const gate = Promise.withResolvers<void>()
    world.scheduler.buildGate = gate.promise
    const first = plugin.push('hello', tree({ content: '1' }))
    await until('the build', () => world.scheduler.builds.length === 1)
    const waits: string[] = []
    const second = refused(
      plugin.push('hello', tree({ content: '2' }), { onLine: ({ text }) => waits.push(text) }),
    )
    await until('the wait', () => waits.some((text) => text.startsWith('Waiting for the deploy of')))
    const third = plugin.push('hello', tree({ content: '3' }))
    const error = await second
    gate.resolve()
    expect((await first).release).toBe('v1')
    const { release, rev } = await third
    expect(release).toBe('v2')
    expect(messageOf(error)).toBe(`superseded by a newer push ${rev.slice(0, 7)}`)
    expect((await plugin.deploys.list('hello')).map(({ status }) => status)).toEqual([
      'succeeded',
      'superseded',
      'succeeded',
    ])
    expect(world.scheduler.builds).toHaveLength(2)
  })

  it('refuses pushes, rebuilds and rollbacks of a locked app with the way out', async () => {
    await plugin.push('hello', tree())
    await plugin.push('hello', tree({ content: '2' }))
    await plugin.apps.lock('hello')
    for (const work of [
      () => plugin.push('hello', tree()),
      () => plugin.processes.rebuild('hello'),
      () => plugin.releases.rollback('hello'),
    ])
      expect(messageOf(await refused(work()))).toBe('hello is locked against deploys')
    await plugin.apps.unlock('hello')
    expect((await plugin.push('hello', tree({ content: '3' }))).release).toBe('v3')
  })

  it('refuses an empty Procfile with the line', async () => {
    const error = await refused(plugin.push('hello', tree({}, { Procfile: '\n' })))
    expect(messageOf(error)).toMatch(/^Invalid Procfile, line 1/)
  })

  it('is ready as soon as the port answers', async () => {
    const { lines } = await plugin.push('hello', tree())
    expect(textOf(lines)).toContain('detail: web.1 is ready')
    const [deploy] = await plugin.deploys.list('hello')
    const check = deploy?.spans.find(({ stage }) => stage === 'check')
    expect(check?.ms).toBeLessThan(settings.checkTimeoutSec * 1000)
  })

  it('shows the output of the process that failed', async () => {
    const error = await refused(plugin.push('hello', tree({ web: 'exit' })))
    expect(messageOf(error)).toBe('web.1 exited with code 1 before it was ready')
    expect(textOf(error.lines)).toContain(
      'step: The last output of web.1:\ndetail: web.1 starts\ndetail: Error: cannot find module',
    )
  })
})

describe('a deploy that fails', () => {
  const healthcheck = (path: string) =>
    JSON.stringify({ healthchecks: { web: [{ type: 'startup', path, attempts: 2, wait: 0 }] } })
  const worker = JSON.stringify({ formation: { worker: { quantity: 1 } }, env: { NEW: 'value' } })
  const taskFile = 'web: node server.js\nrelease: ./migrate\n'
  const boom = () => {
    throw new Error('no')
  }
  const cases: Array<[name: string, files: Record<string, string>, reason: RegExp, prepare?: () => unknown]> =
    [
      ['at an unknown source', { 'notes.txt': 'hi' }, /^No builder knows/],
      ['at a malformed app.json', tree({}, { 'app.json': '{"env": 3}' }), /^Invalid app.json: env/],
      ['at a malformed Procfile', tree({}, { Procfile: 'web: x\nnonsense\n' }), /^Invalid Procfile, line 2/],
      ['in the build', tree({ build: 'fail' }), /step 1 exited with code 2/],
      [
        'in the release task',
        tree({ release: 'exit:3' }, { Procfile: taskFile }),
        /release task failed: it exited with code 3/,
      ],
      [
        'in predeploy',
        tree({ predeploy: 'exit:4' }, { 'app.json': '{"scripts":{"dokku":{"predeploy":"x"}}}' }),
        /predeploy task failed/,
      ],
      [
        'at the start of a process',
        tree({ content: 'x' }),
        /web.1 could not be started: out of pids/,
        () => world.scheduler.failNext.set('start', new Error('out of pids')),
      ],
      ['where web is started again and again', tree({ web: 'loop' }), /web.1 exited before it was ready/],
      ['where web exits', tree({ web: 'exit' }), /web.1 exited with code 1/],
      [
        'where web stays silent',
        tree({ web: 'silent' }),
        /web.1 did not pass its checks within 2 s: port \d+: ECONNREFUSED/,
      ],
      [
        'where the path answers 500',
        tree({ web: 'status:500' }, { 'app.json': healthcheck('/up') }),
        /GET \/up answered 500/,
      ],
      [
        'where only the worker exits',
        tree({ worker: 'exit' }, { 'app.json': worker }),
        /worker.1 exited with code 1/,
      ],
      [
        'at the publishing of the routes',
        tree({ content: 'p' }),
        /edge is gone/,
        () => {
          world.router.failNextPublish = new Error('edge is gone')
        },
      ],
    ]
  const hooks = [
    'post-extract',
    'pre-build',
    'post-build',
    'pre-release-builder',
    'post-release-builder',
    'pre-deploy',
    'docker-args-deploy',
    'post-container-create',
    'check-deploy',
    'scheduler-post-deploy-process',
    'core-post-deploy',
  ]

  describe.each([
    ['first', false],
    ['later', true],
  ])('at the %s deploy', (_, deployed) => {
    beforeEach(async () => {
      if (!deployed) return
      await plugin.push('hello', tree({ content: 'before' }))
      await plugin.processes.scale('hello', { worker: 1 })
      await plugin.config.update('hello', { set: { MINE: '1' }, restart: false })
      await until('names', async () =>
        (await world.scheduler.list()).every(({ name }) => name.split('.').length === 3),
      )
    })

    it.each(cases)('%s leaves everything as it was', async (_name, files, reason, prepare) => {
      const before = await snapshot(world, plugin, 'hello')
      prepare?.()
      const error = await refused(plugin.push('hello', files))
      expect(messageOf(error)).toMatch(reason)
      expect(await snapshot(world, plugin, 'hello')).toEqual(before)
      const [deploy] = await plugin.deploys.list('hello')
      expect(deploy).toMatchObject({ status: 'failed', error: expect.stringMatching(reason) })
    })

    it.each(hooks)('in the hook %s leaves everything as it was', async (name) => {
      const kind = name === 'docker-args-deploy' ? 'waterfall' : 'series'
      const before = await snapshot(world, plugin, 'hello')
      let calls = 0
      plugin.on({ name, kind } as never, () => {
        calls += 1
        boom()
      })
      await refused(plugin.push('hello', tree({ content: name }, { 'app.json': worker })))
      expect(calls).toBeGreaterThan(0)
      expect(await snapshot(world, plugin, 'hello')).toEqual(before)
    })

    it('by being cancelled leaves everything as it was', async () => {
      const before = await snapshot(world, plugin, 'hello')
      const work = refused(plugin.push('hello', tree({ build: 'hang' })))
      await until('the build', async () => (await plugin.deploys.list('hello'))[0]?.status === 'running')
      await plugin.deploys.cancel((await plugin.deploys.list('hello'))[0]?.id as string)
      expect(messageOf(await work)).toBe('The deploy was cancelled')
      expect(await snapshot(world, plugin, 'hello')).toEqual(before)
    })
  })

  it('keeps an artifact that another release has', async () => {
    await plugin.push('hello', tree({ content: 'same' }))
    world.router.failNextPublish = new Error('no')
    await refused(plugin.push('hello', tree({ content: 'same' })))
    expect(world.scheduler.artifacts.size).toBe(1)
  })

  it('does not fail for what comes after the switch', async () => {
    plugin.on({ name: 'post-deploy', kind: 'series' } as never, boom)
    const { release, lines } = await plugin.push('hello', tree())
    expect(release).toBe('v1')
    expect(textOf(lines)).toContain('error: v1 is deployed, but what comes after a deploy failed: ')
  })
})
