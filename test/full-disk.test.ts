import { randomBytes } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { answerOf } from './harness/ask.ts'
import { busyboxArchive, Registry } from './harness/docker.ts'
import { lacks, lacksContainers } from './harness/host.ts'
import { type Files, Repository } from './harness/repository.ts'
import { eventually, until } from './harness/until.ts'
import { useSmallDisk } from './harness/use-small-disk.ts'
import { fetchPage } from './harness/visitor.ts'

const image = 'busybox:e2e'
const lacking =
  lacksContainers('a full disk') ||
  lacks('a disk of its own', 'docker', 'busybox', 'docker-registry', 'mkfs.ext4', 'loop devices')

/** Serves `content`, and counts in its log; its worker writes as fast as it can. */
const app = (content: string, more: Files = {}): Files => ({
  Dockerfile: `FROM ${image}\nCOPY . /app\n`,
  Procfile: 'web: sh /app/web.sh\n',
  // What it serves is in the image: a process that has to write first would be up without it.
  'web.sh': 'trap "exit 0" TERM; httpd -f -p $PORT -h /app/www & while :; do echo tick; sleep 0.2; done\n',
  'www/index.html': content,
  ...more,
})

const clear = /The server's disk is full: .*\n.*kernel system:ledger.*docker system prune/

describe.skipIf(lacking)('a disk that is full to the last byte', () => {
  const lab = useSmallDisk(160)
  let shop: Repository

  const page = async () => (await fetchPage(lab.daemon.url('shop'))).body
  const docker = (...args: string[]) => lab.daemon.docker(args)
  async function ok(...args: string[]): Promise<string> {
    const { code, output, stdout } = await docker(...args)
    expect(code, `docker ${args.join(' ')}: ${output}`).toBe(0)
    return stdout.trim()
  }
  const integrity = () =>
    readdirSync(join(lab.daemon.dataDir, 'db'))
      .filter((name) => name.endsWith('.db'))
      .map((name) => {
        using db = new DatabaseSync(join(lab.daemon.dataDir, 'db', name))
        return `${name} ${db.prepare('PRAGMA integrity_check').get()?.integrity_check}`
      })

  beforeAll(async () => {
    await ok('load', '-i', await busyboxArchive(lab.daemon.dir, image))
    shop = await Repository.create(lab.daemon, 'shop', app('content 0'))
    await shop.deploy()
    // The databases and the daemon set their reserves aside.
    await eventually(() => expect(readdirSync(lab.daemon.dataDir)).toContain('reserve'))
    await sleep(2500)
  })
  afterEach(() => lab.disk.free())

  it('is told of in clear words, while apps serve and all can be read', async () => {
    const { daemon, disk } = lab
    const secret = (await daemon.kernel(['tokens:create', 'pusher'])).stdout.trim()
    disk.fill()
    await shop.commit(app('content 1'))
    const refused = await shop.push()
    expect(refused.code).not.toBe(0)
    expect(refused.output).toMatch(clear)
    const url = `http://127.0.0.1:${daemon.ports.api}/git/shop.git/info/refs?service=git-receive-pack`
    const byHttp = await fetch(url, { headers: { authorization: `Bearer ${secret}` } })
    expect([byHttp.status, await byHttp.text()]).toEqual([507, expect.stringMatching(clear)])
    const scaled = await daemon.kernel(['ps:scale', 'shop', 'web=2'], { code: 7 })
    expect(scaled.output).toMatch(clear)
    const ran = await docker('run', '--rm', image, 'true')
    expect([ran.code, ran.output]).toEqual([
      125,
      expect.stringContaining("The server's disk is full: ENOSPC"),
    ])
    const { status, body } = await answerOf(daemon.socket, 'POST', '/containers/create', {
      body: { Image: image },
    })
    expect([status, body.toString()]).toEqual([507, expect.stringContaining("The server's disk is full")])

    expect(await page()).toBe('content 0')
    expect(await daemon.json(['apps:list'])).toMatchObject([
      { name: 'shop', state: 'running', release: 'v1' },
    ])
    expect(await daemon.json(['ps:report', 'shop'])).toMatchObject({ scale: { web: 1 } })
    expect((await daemon.kernel(['logs', 'shop'])).stdout).toContain('tick')
    expect(await ok('ps', '--format', '{{.Names}}')).toBe('shop.web.1')

    disk.free()
    await shop.deploy()
    expect(await page()).toBe('content 1')
    await daemon.kernel(['ps:scale', 'shop', 'web=2'])
    await daemon.kernel(['ps:scale', 'shop', 'web=1'])
    expect(await ok('run', '--rm', image, 'echo', 'room')).toBe('room')
  })

  it('takes the records that make room', async () => {
    const { daemon, disk } = lab
    const before = await ok('create', image)
    const volume = await ok('volume', 'create')
    disk.fill()
    await daemon.kernel(['config:set', 'shop', '--no-restart', 'KEPT=yes'])
    await ok('rm', before)
    await ok('volume', 'rm', volume)
    await ok('system', 'prune', '-f')
    await daemon.kernel(['apps:create', 'brief'])
    await daemon.kernel(['apps:destroy', 'brief', '--force'])
    await daemon.kill()
    await daemon.start()
    expect(await daemon.json(['config:show', 'shop'])).toMatchObject({ KEPT: 'yes' })
    expect(await ok('ps', '-aq')).not.toContain(before.slice(0, 12))
  })

  it.each(['Building', 'Starting'])('in the middle of a push (%s) takes nothing away', async (moment) => {
    const { disk } = lab
    const old = await page()
    const content = `content at ${moment}`
    await shop.commit(app(content, { ballast: 'x'.repeat(1 << 20) }))
    let full = false
    const { code, output } = await shop.push({
      onOutput(text) {
        if (full || !text.includes(moment)) return
        full = true
        disk.fill()
      },
    })
    expect(full, output).toBe(true)
    // Started processes may have had all they need by then.
    if (code !== 0) expect(output, output).toMatch(/disk is full|no space left/i)
    expect(await page()).toBe(code === 0 ? content : old)
    disk.free()
    expect((await shop.push()).code).toBe(0)
    await eventually(async () => expect(await page()).toBe(content))
  })

  it('in the middle of a pull leaves nothing half, and the next pull works', async () => {
    const { daemon, disk } = lab
    const registry = await Registry.open(daemon.dir)
    try {
      const remote = `${registry.address}/team/large:1`
      const context = mkdtempSync(join(daemon.dir, 'large-'))
      writeFileSync(join(context, 'Dockerfile'), `FROM ${image}\nCOPY large /large\n`)
      writeFileSync(join(context, 'large'), randomBytes(8 << 20))
      const env = { ...daemon.env, DOCKER_BUILDKIT: '0' }
      expect((await daemon.docker(['build', '-q', '-t', remote, context], { env })).code).toBe(0)
      await ok('push', remote)
      await ok('rmi', remote)
      await ok('builder', 'prune', '-af')
      disk.fill(6 << 20)
      const failed = await docker('pull', remote)
      expect([failed.code, failed.output]).toEqual([1, expect.stringContaining("The server's disk is full")])
      expect(await ok('images', '-q', remote)).toBe('')
      expect(await page()).toMatch(/^content/)
      disk.free()
      await ok('pull', remote)
      expect(await ok('run', '--rm', remote, 'ls', '/large')).toBe('/large')
      await ok('rmi', remote)
    } finally {
      registry.close()
    }
  })

  it('neither ends nor blocks a container that writes its log', async () => {
    const { disk } = lab
    const script =
      'i=0; while :; do i=$((i+1)); echo "line $i of a long story"; echo $i > /dev/shm/count; done'
    const id = await ok('run', '-d', '--name', 'talker', image, 'sh', '-c', script)
    const pid = await ok('inspect', '-f', '{{.State.Pid}}', id)
    const count = () => Number(readFileSync(`/proc/${pid}/root/dev/shm/count`, 'utf8'))
    const goesOn = async () => {
      // The file is empty for a moment at each count.
      const before = await until('the counter is read', () => count() || undefined)
      await eventually(() => expect(count()).toBeGreaterThan(before))
    }
    await goesOn()
    disk.fill()
    await sleep(1000)
    disk.fill()
    await goesOn()
    // A record that found no room for its text has the next one on its line.
    const last = Number(/line (\d+) of a long story$/.exec(await ok('logs', '--tail', '1', id))?.[1])
    expect(last).toBeGreaterThan(0)
    disk.free()
    await eventually(async () =>
      expect(Number(/^line (\d+)/.exec(await ok('logs', '--tail', '1', id))?.[1])).toBeGreaterThan(
        last + 100,
      ),
    )
    expect(await ok('inspect', '-f', '{{.State.Pid}}', id)).toBe(pid)
    expect(await page()).toMatch(/^content/)
    await ok('rm', '-f', id)
  })

  it.each(['SIGKILL', 'SIGTERM'] as const)('serves what it has after a start (%s)', async (signal) => {
    const { daemon, disk } = lab
    const before = await daemon.json(['releases:list', 'shop'])
    const served = await page()
    for (let start = 0; start < 2; start++) {
      disk.fill()
      await daemon.stop(signal)
      disk.fill()
      await daemon.start()
      expect(await page()).toBe(served)
    }
    expect(await daemon.json(['releases:list', 'shop'])).toEqual(before)
    disk.free()
    const content = `content after ${signal}`
    await shop.commit(app(content))
    await shop.deploy()
    await eventually(async () => expect(await page()).toBe(content))
  })

  it('has hurt no database', async () => {
    const { daemon } = lab
    await daemon.stop()
    const found = integrity()
    expect(found.length).toBeGreaterThan(5)
    expect(found.filter((line) => !line.endsWith(' ok'))).toEqual([])
    await daemon.start()
    expect(await page()).toMatch(/^content/)
    expect(await daemon.json(['system:ledger', '--garbage'])).toEqual([])
  })
})
