/** The peer: Debian's dockerd on its own socket and data dir, gone without a trace afterwards. */
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

export interface Peer {
  host: string
  version: string
  stop(): Promise<void>
}

/** Undefined, with a line that says why, where dockerd can't run here. */
export async function startDockerd(): Promise<Peer | undefined> {
  if (!existsSync('/usr/sbin/dockerd') || process.getuid?.() !== 0) {
    console.log('dockerd is skipped: it needs root and the Debian package docker.io')
    return undefined
  }
  const dir = mkdtempSync(join(tmpdir(), 'peer-dockerd-'))
  const host = `unix://${join(dir, 'docker.sock')}`
  const bridge = `pd${process.pid.toString(36)}`
  execFileSync('ip', ['link', 'add', bridge, 'type', 'bridge'])
  execFileSync('ip', ['addr', 'add', '10.213.77.1/24', 'dev', bridge])
  execFileSync('ip', ['link', 'set', bridge, 'up'])
  const daemon = spawn(
    '/usr/sbin/dockerd',
    [
      '-H',
      host,
      '--data-root',
      join(dir, 'data'),
      '--exec-root',
      join(dir, 'exec'),
      '--pidfile',
      join(dir, 'pid'),
      '--bridge',
      bridge,
      '--storage-driver',
      'overlay2',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'], detached: true },
  )
  let log = ''
  daemon.stderr.setEncoding('utf8').on('data', (text: string) => {
    log = (log + text).slice(-4000)
  })
  let ended = false
  daemon.once('exit', () => {
    ended = true
  })

  async function stop(): Promise<void> {
    if (!ended) {
      daemon.kill('SIGTERM')
      const late = setTimeout(() => daemon.kill('SIGKILL'), 20_000)
      while (!ended) await sleep(50)
      clearTimeout(late)
    }
    spawnSync('ip', ['link', 'delete', bridge])
    for (const line of execFileSync('cat', ['/proc/mounts'], { encoding: 'utf8' }).split('\n').reverse()) {
      const target = line.split(' ')[1]
      if (target?.startsWith(dir)) spawnSync('umount', ['-l', target])
    }
    rmSync(dir, { recursive: true, force: true })
  }

  for (let round = 0; round < 300 && !ended; round++) {
    const asked = spawnSync('docker', ['-H', host, 'version', '--format', '{{.Server.Version}}'], {
      encoding: 'utf8',
    })
    if (asked.status === 0) return { host, version: asked.stdout.trim(), stop }
    await sleep(100)
  }
  console.log(`dockerd is skipped: it does not start here\n${log}`)
  await stop()
  return undefined
}
