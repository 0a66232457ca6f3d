import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Registry } from './harness/docker.ts'
import { lacks, lacksContainers } from './harness/host.ts'
import { freePorts } from './harness/ports.ts'
import { eventually } from './harness/until.ts'
import { image, useDocker } from './harness/use-docker.ts'
import { fetchPage } from './harness/visitor.ts'

const idOf = (build: string) => /^Successfully built ([0-9a-f]{12})$/m.exec(build)?.[1]

const lacking = lacksContainers('the Docker API') || lacks('the docker command line', 'docker', 'busybox')

describe.skipIf(lacking)('with the docker command line', () => {
  const { lab, docker, ok } = useDocker()

  it('a registry gives back what was pushed there', async ({ skip }) => {
    if (lacks('pull and push', 'docker-registry')) return skip()
    const registry = await Registry.open(lab.daemon.dir)
    const remote = `${registry.address}/team/busybox:v1`
    try {
      await ok(['tag', image, remote])
      const pushed = await ok(['push', remote])
      const digest = /^v1: digest: (sha256:[0-9a-f]{64}) size: \d+$/m.exec(pushed)?.[1]
      expect(digest, pushed).toBeDefined()
      await ok(['rmi', remote])
      const pulled = await ok(['pull', remote])
      expect(pulled).toContain(`Digest: ${digest}`)
      expect(pulled).toContain(`Status: Downloaded newer image for ${remote}`)
      expect(await ok(['pull', remote])).toContain(`Status: Image is up to date for ${remote}`)
      expect(await ok(['run', '--rm', `${registry.address}/team/busybox@${digest}`, 'echo', 'pulled'])).toBe(
        'pulled',
      )
      const missing = await docker('pull', `${registry.address}/team/nothing:v1`)
      expect([missing.code, missing.stderr]).toEqual([1, expect.stringMatching(/not found|manifest unknown/)])
      // A run pulls what is not there.
      await ok(['rmi', '-f', remote])
      const run = await docker('run', '--rm', remote, 'echo', 'again')
      expect(run).toMatchObject({ code: 0, stdout: 'again\n' })
      expect(run.stderr).toContain(`Unable to find image '${remote}' locally`)
      await ok(['rmi', remote])
    } finally {
      registry.close()
    }
  })

  it('ports are published', async () => {
    const [port] = await freePorts(1)
    const serve = 'echo served > /var/www/index.html; exec httpd -f -p 8000 -h /var/www'
    await ok([
      'run',
      '-d',
      '--name',
      'site',
      '-p',
      `${port}:8000`,
      '-p',
      '127.0.0.1::8000',
      image,
      'sh',
      '-c',
      serve,
    ])
    await eventually(async () =>
      expect(await fetchPage(`http://127.0.0.1:${port}/`)).toMatchObject({ status: 200, body: 'served\n' }),
    )
    const ports = (await ok(['port', 'site', '8000'])).split('\n')
    expect(ports).toContain(`0.0.0.0:${port}`)
    const chosen = ports.find((line) => line.startsWith('127.0.0.1:'))
    expect(await fetchPage(`http://${chosen}/`)).toMatchObject({ status: 200, body: 'served\n' })
    // From another container, by the bridge's own address.
    const gateway = await ok(['network', 'inspect', 'bridge', '-f', '{{(index .IPAM.Config 0).Gateway}}'])
    expect(await ok(['run', '--rm', image, 'wget', '-qO-', `http://${gateway}:${port}/`])).toBe('served')
    const taken = await docker('run', '--rm', '-p', `${port}:8000`, image, 'true')
    expect([taken.code, taken.stderr]).toEqual([125, expect.stringContaining('port is already allocated')])
    await ok(['rm', '-f', 'site'])
    const refused = connect(port!, '127.0.0.1')
    expect((await once(refused, 'error'))[0]).toMatchObject({ code: 'ECONNREFUSED' })
  })

  it('volumes keep, and folders are mounted', async () => {
    const folder = join(lab.daemon.dir, 'mounted')
    mkdirSync(folder)
    writeFileSync(join(folder, 'in.txt'), 'from the host\n')
    expect(
      await ok([
        'run',
        '--rm',
        '-v',
        'kept:/data',
        '-v',
        `${folder}:/mnt`,
        image,
        'sh',
        '-c',
        'cat /mnt/in.txt | tee /data/kept.txt > /mnt/out.txt',
      ]),
    ).toBe('')
    expect(readFileSync(join(folder, 'out.txt'), 'utf8')).toBe('from the host\n')
    expect(await ok(['run', '--rm', '-v', 'kept:/data:ro', image, 'cat', '/data/kept.txt'])).toBe(
      'from the host',
    )
    const readOnly = await docker('run', '--rm', '-v', 'kept:/data:ro', image, 'touch', '/data/x')
    expect([readOnly.code, readOnly.stderr]).toEqual([1, expect.stringContaining('Read-only file system')])
    expect(await ok(['volume', 'ls', '-q'])).toBe('kept')
    await ok(['volume', 'rm', 'kept'])
    expect(await ok(['volume', 'ls', '-q'])).toBe('')
  })

  it('containers of a network find each other by name', async () => {
    await ok(['network', 'create', 'back'])
    const serve = 'echo from $(hostname) > /var/www/index.html; exec httpd -f -p 80 -h /var/www'
    await ok([
      'run',
      '-d',
      '--name',
      'db',
      '--hostname',
      'dbhost',
      '--network',
      'back',
      '--network-alias',
      'data',
      image,
      'sh',
      '-c',
      serve,
    ])
    for (const name of ['db', 'data'])
      expect(
        await ok([
          'run',
          '--rm',
          '--network',
          'back',
          image,
          'sh',
          '-c',
          `until wget -qO- http://${name}/ 2>/tmp/e; do sleep 0.05; done`,
        ]),
      ).toBe('from dbhost')
    const apart = await docker('run', '--rm', image, 'wget', '-T', '2', '-qO-', 'http://db/')
    expect(apart.code).not.toBe(0)
    expect((await docker('network', 'rm', 'back')).stderr).toContain('has active endpoints')
    await ok(['rm', '-f', 'db'])
    await ok(['network', 'rm', 'back'])
  })

  it('a Dockerfile is built', async () => {
    const folder = join(lab.daemon.dir, 'context')
    mkdirSync(folder)
    writeFileSync(join(folder, 'greeting.txt'), 'hello from the context\n')
    writeFileSync(join(folder, 'secret.txt'), 'not for the image\n')
    writeFileSync(join(folder, '.dockerignore'), 'secret.txt\n')
    writeFileSync(
      join(folder, 'Dockerfile'),
      [
        `FROM ${image} AS prepared`,
        'ARG WHO=nobody',
        'COPY . /src/',
        'RUN echo "for $WHO" >> /src/greeting.txt && ls /src',
        `FROM ${image}`,
        'COPY --from=prepared --chown=ann /src/greeting.txt /greeting.txt',
        'USER ann',
        'ENV LAST=line',
        'ENTRYPOINT ["cat"]',
        'CMD ["/greeting.txt"]',
      ].join('\n'),
    )
    const env = { ...lab.daemon.env, DOCKER_BUILDKIT: '0' }
    const built = await ok(['build', '-t', 'greeting:v1', '--build-arg', 'WHO=ann', folder], { env })
    expect(built).toMatch(/^Step 3\/10 : COPY \. \/src\/$/m)
    expect(idOf(built)).toBeDefined()
    expect(built).toMatch(/^Successfully tagged greeting:v1$/m)
    expect(built).not.toContain('secret.txt')
    expect(await ok(['run', '--rm', 'greeting:v1'])).toBe('hello from the context\nfor ann')
    expect(
      await ok(['run', '--rm', '--entrypoint', 'sh', 'greeting:v1', '-c', 'id -un; echo $LAST $FROM_IMAGE']),
    ).toBe('ann\nline yes')
    const again = await ok(['build', '--build-arg', 'WHO=ann', folder], { env })
    expect(again.match(/^ ---> Using cache$/gm)).toHaveLength(3)
    expect(idOf(again)).toBe(idOf(built))
    writeFileSync(join(folder, 'Dockerfile'), `FROM ${image}\nRUN echo before; exit 9\n`)
    const failed = await lab.daemon.docker(['build', folder], { env })
    expect(failed.code).not.toBe(0)
    expect(failed.stderr).toContain(
      "The command '/bin/sh -c echo before; exit 9' returned a non-zero code: 9",
    )
    await ok(['rmi', 'greeting:v1'])
  })

  it('an image is saved, and loaded again', async () => {
    const saved = join(lab.daemon.dir, 'saved.tar')
    await ok(['tag', image, 'other:v1'])
    const id = await ok(['inspect', '-f', '{{.Id}}', 'other:v1'])
    await ok(['save', '-o', saved, 'other:v1'])
    await ok(['rmi', 'other:v1'])
    expect(await ok(['load', '-i', saved])).toBe('Loaded image: other:v1')
    expect(await ok(['inspect', '-f', '{{.Id}}', 'other:v1'])).toBe(id)
    await ok(['rmi', 'other:v1'])
  })
})
