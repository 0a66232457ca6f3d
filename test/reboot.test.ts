import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { busyboxArchive } from './harness/docker.ts'
import { lacks, lacksContainers } from './harness/host.ts'
import { Machine } from './harness/machine.ts'
import { type Files, Repository } from './harness/repository.ts'
import { eventually } from './harness/until.ts'
import { useDaemon } from './harness/use-daemon.ts'
import { fetchPage } from './harness/visitor.ts'

const image = 'busybox:e2e'
const forever = 'trap "exit 0" TERM; echo up; while :; do sleep 60 & wait; done'
const app = (content: string): Files => ({
  Dockerfile: `FROM ${image}\nCOPY web.sh /web.sh\n`,
  Procfile: `web: sh /web.sh\nworker: ${forever}\n`,
  'web.sh': `echo '${content}' > /var/www/index.html\ntrap "exit 0" TERM; httpd -f -p $PORT -h /var/www & wait\n`,
})

const lacking = lacksContainers('a reboot') || lacks('a reboot', 'docker', 'busybox')

describe.skipIf(lacking)('after a power cut', () => {
  let machine: Machine
  beforeAll(() => {
    machine = new Machine()
  })
  afterAll(() => machine.close())
  const lab = useDaemon({
    get launcher() {
      return machine.launcher
    },
  })

  const page = async (name: string) => (await fetchPage(lab.daemon.url(name))).body.trim()
  async function ok(...args: string[]): Promise<string> {
    const { code, output, stdout } = await lab.daemon.docker(args)
    expect(code, `docker ${args.join(' ')}: ${output}`).toBe(0)
    return stdout.trim()
  }
  const run = (name: string, ...options: string[]) =>
    ok('run', '-d', '--name', name, ...options, image, 'sh', '-c', forever)
  const states = async () =>
    Object.fromEntries(
      (await ok('ps', '-a', '--format', '{{.Names}} {{.State}}'))
        .split('\n')
        .map((line) => line.split(' '))
        .filter(([name = '']) => !name.includes('.')),
    )

  beforeAll(async () => {
    const { daemon } = lab
    await ok('load', '-i', await busyboxArchive(daemon.dir, image))
    for (const name of ['shop', 'idle']) {
      const repository = await Repository.create(daemon, name, app(`content of ${name}`))
      await repository.deploy()
    }
    await daemon.kernel(['ps:scale', 'shop', 'web=2', 'worker=1'])
    await daemon.kernel(['ps:stop', 'idle'])
    await ok('network', 'create', 'net')
    await ok('volume', 'create', 'data')
    await run('always', '--restart', 'always', '--network', 'net', '-p', '127.0.0.1::80', '-v', 'data:/data')
    await ok('exec', 'always', 'sh', '-c', 'echo kept > /data/file; echo own > /own; sync')
    await run('unless', '--restart', 'unless-stopped')
    await run('unless-by-hand', '--restart', 'unless-stopped')
    await ok('stop', 'unless-by-hand')
    await run('on-failure', '--restart', 'on-failure')
    await run('no')
    await run('once', '--rm')
    await ok('create', '--name', 'never-started', '--restart', 'always', image)
    await machine.powerCycle(daemon)
    await daemon.start()
  })

  it('apps run as they were scaled, and stopped ones stay stopped', async () => {
    const { daemon } = lab
    expect(await page('shop')).toBe('content of shop')
    await eventually(async () =>
      expect(await daemon.json(['ps:report', 'shop'])).toMatchObject({
        state: 'running',
        scale: { web: 2, worker: 1 },
        processes: ['web.1', 'web.2', 'worker.1'].map((name) => ({ name, status: 'running' })),
      }),
    )
    expect(await daemon.json(['ps:report', 'idle'])).toMatchObject({ state: 'stopped', processes: [] })
    await daemon.kernel(['ps:start', 'idle'])
    expect(await page('idle')).toBe('content of idle')
  })

  it('containers come up as their policies say', async () => {
    await eventually(async () =>
      expect(await states()).toEqual({
        always: 'running',
        unless: 'running',
        'unless-by-hand': 'exited',
        'on-failure': 'running',
        no: 'exited',
        'never-started': 'created',
      }),
    )
    expect(await ok('exec', 'always', 'cat', '/data/file', '/own')).toBe('kept\nown')
    expect(await ok('logs', 'always')).toBe('up\nup')
    expect(await ok('port', 'always', '80')).toMatch(/^127\.0\.0\.1:\d+$/)
  })

  it('nothing of before is in the way, and the next push works', async () => {
    const { daemon } = lab
    expect(await daemon.json(['system:ledger', '--garbage'])).toEqual([])
    const repository = await Repository.create(daemon, 'fresh', app('fresh'))
    await repository.deploy()
    expect(await page('fresh')).toBe('fresh')
    await ok('start', 'no', 'never-started', 'unless-by-hand')
  })
})
