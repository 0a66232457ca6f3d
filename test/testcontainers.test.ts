import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { GenericContainer, Network, Wait } from 'testcontainers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { lacks, lacksContainers } from './harness/host.ts'
import { image, useDocker } from './harness/use-docker.ts'
import { fetchPage } from './harness/visitor.ts'

const lacking = lacksContainers('testcontainers') || lacks('testcontainers', 'docker', 'busybox')

describe.skipIf(lacking)('testcontainers', () => {
  const { lab } = useDocker()
  const settings = ['DOCKER_HOST', 'TESTCONTAINERS_RYUK_DISABLED', 'DOCKER_CONFIG'] as const
  const before = settings.map((name) => [name, process.env[name]] as const)

  beforeAll(() => {
    process.env.DOCKER_HOST = `unix://${lab.daemon.socket}`
    process.env.DOCKER_CONFIG = join(lab.daemon.dir, 'docker')
    // Its reaper is an image of Docker Hub.
    process.env.TESTCONTAINERS_RYUK_DISABLED = 'true'
  })
  afterAll(() => {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  })

  it('waits for logs and health, copies both ways, runs commands, starts again', async () => {
    const container = await new GenericContainer(image)
      .withCommand(['sh', '-c', 'echo starting; httpd -p 8000 -h /var/www; echo ready; exec sleep 600'])
      .withExposedPorts(8000)
      .withEnvironment({ COLOR: 'blue' })
      .withCopyContentToContainer([{ content: 'copied in', target: '/var/www/index.html' }])
      .withTmpFs({ '/scratch': 'size=1m' })
      .withHealthCheck({ test: ['CMD', 'test', '-e', '/var/www/index.html'], interval: 200, retries: 50 })
      .withWaitStrategy(Wait.forAll([Wait.forLogMessage('ready'), Wait.forHealthCheck()]))
      .start()
    try {
      const port = container.getMappedPort(8000)
      expect((await fetchPage(`http://127.0.0.1:${port}/`)).body).toBe('copied in')
      expect(await container.exec(['sh', '-c', 'echo $COLOR; exit 3'])).toMatchObject({
        exitCode: 3,
        output: 'blue\n',
      })
      const tar = await container.copyArchiveFromContainer('/var/www/index.html')
      let size = 0
      for await (const piece of tar) size += piece.length
      expect(size).toBeGreaterThan(512)
      await container.restart({ timeout: 0 })
      expect((await container.exec(['cat', '/var/www/index.html'])).output).toBe('copied in')
    } finally {
      await container.stop({ timeout: 0 })
    }
  })

  it('joins containers by their aliases, and builds images', async () => {
    const context = join(lab.daemon.dir, 'testcontainers')
    mkdirSync(context)
    writeFileSync(
      join(context, 'Dockerfile'),
      `FROM ${image}\nARG WORD\nRUN echo $WORD > /word\nCMD ["sleep", "600"]\n`,
    )
    const network = await new Network().start()
    const built = await GenericContainer.fromDockerfile(context)
      .withBuildArgs({ WORD: 'built' })
      .build('tc:1', {
        deleteOnExit: false,
      })
    const one = await built.withNetwork(network).withNetworkAliases('one').start()
    const other = await new GenericContainer(image).withCommand(['sleep', '600']).withNetwork(network).start()
    try {
      expect((await one.exec(['cat', '/word'])).output).toBe('built\n')
      expect((await other.exec(['ping', '-c1', '-w5', 'one'])).exitCode).toBe(0)
    } finally {
      await one.stop({ timeout: 0 })
      await other.stop({ timeout: 0 })
      await network.stop()
    }
  })
})
