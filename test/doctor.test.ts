import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { Daemon } from './harness/daemon.ts'
import { lacksContainers } from './harness/host.ts'
import { freePorts } from './harness/ports.ts'
import { kernelCommand } from './harness/product.ts'
import { type Ran, run } from './harness/run.ts'
import { useDaemon } from './harness/use-daemon.ts'

interface Check {
  name: string
  status: 'ok' | 'warn' | 'fail'
  found: string
  advice: string
}

describe('the doctor', () => {
  const dir = mkdtempSync(join(tmpdir(), 'kernel-e2e-doctor-'))
  afterAll(() => rmSync(dir, { recursive: true }))

  /** With a config file of free ports, so that what else runs here does not count. */
  async function doctor(ports: { http: number; ssh: number }, ...args: string[]): Promise<Ran> {
    const config = join(dir, 'kernel.json')
    writeFileSync(config, JSON.stringify({ http: `127.0.0.1:${ports.http}`, ssh: `127.0.0.1:${ports.ssh}` }))
    const [program, ...first] = kernelCommand()
    return run(program, [...first, 'doctor', '--data-dir', join(dir, 'data'), '--config', config, ...args], {
      env: { PATH: process.env.PATH, NO_COLOR: '1' },
    })
  }

  it('has a line for everything that apps need', async () => {
    const [http, ssh] = (await freePorts(2)) as [number, number]
    const { code, stdout } = await doctor({ http, ssh })
    const topics = ['OCI runtime', 'conmon', 'overlayfs', 'cgroups', 'nftables', 'git', 'disk space', 'clock']
    for (const topic of [...topics, `port ${http}`, `port ${ssh}`])
      expect(stdout).toMatch(new RegExp(`^[✓!✗] ${topic} +\\S`, 'm'))
    expect(code).toBe(/^✗/m.test(stdout) ? 1 : 0)
  })

  it('says who has a port, what to do, and ends with 1', async () => {
    const holder = createServer().listen(0, '127.0.0.1')
    await once(holder, 'listening')
    const { port } = holder.address() as { port: number }
    try {
      const [ssh] = (await freePorts(1)) as [number]
      const { code, stdout } = await doctor({ http: port, ssh }, '--format', 'json')
      expect(code).toBe(1)
      const check = (JSON.parse(stdout) as Check[]).find(({ name }) => name === `port ${port}`)
      expect(check).toMatchObject({ status: 'fail', found: expect.stringContaining(String(process.pid)) })
      expect(check?.advice).not.toBe('')
    } finally {
      holder.close()
    }
  })
})

describe.skipIf(lacksContainers('the base image'))('the base image', () => {
  const lab = useDaemon()
  const build = async (daemon: Daemon) =>
    daemon.json<{ id: string; ref: string; built: boolean; size: number }>(['base:build'])

  it('is the same wherever and whenever it is put together', async () => {
    const first = await build(lab.daemon)
    expect(first).toMatchObject({
      id: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
      ref: 'kernel/base:latest',
      built: true,
    })
    expect((await lab.daemon.kernel(['base:build'])).stdout).toContain(first.id)
    const other = await Daemon.open()
    try {
      expect(await build(other)).toMatchObject({ id: first.id, built: true })
    } finally {
      await other.close()
    }
  })

  it('is there for everybody who asks by Docker', async () => {
    const { stdout } = await lab.daemon.docker(['run', '--rm', 'kernel/base', 'node', '-p', '6 * 7'])
    expect(stdout).toBe('42\n')
  })
})
