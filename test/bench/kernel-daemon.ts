/** Our side: the built daemon over a data dir of its own, gone without a trace afterwards. */
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

export const kernelBin = fileURLToPath(new URL('../../apps/cli/bin/kernel.mjs', import.meta.url))

export interface BenchDaemon {
  dir: string
  host: string
  http: number
  ssh: number
  kernel(...args: string[]): string
  stop(): Promise<void>
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

export async function startKernel(): Promise<BenchDaemon> {
  const dir = mkdtempSync(join(tmpdir(), 'kernel-bench-'))
  const host = `unix://${join(dir, 'kernel.sock')}`
  const [http, ssh] = [await freePort(), await freePort()]
  const log = openSync(join(dir, 'log'), 'a')
  const daemon = spawn(
    process.execPath,
    [
      kernelBin,
      'daemon',
      '--data-dir',
      join(dir, 'data'),
      '--host',
      host,
      '--http',
      `127.0.0.1:${http}`,
      '--ssh',
      `127.0.0.1:${ssh}`,
      '--log-format',
      'json',
      '--stop-workloads',
    ],
    { stdio: ['ignore', log, log] },
  )
  let ended = false
  daemon.once('exit', () => {
    ended = true
  })
  const kernel = (...args: string[]) => {
    const done = spawnSync(process.execPath, [kernelBin, ...args], {
      encoding: 'utf8',
      env: { ...process.env, KERNEL_HOST: host },
    })
    if (done.status !== 0) throw new Error(`kernel ${args.join(' ')}: ${done.stderr}`)
    return done.stdout
  }
  for (let round = 0; round < 300 && !ended; round++) {
    if (spawnSync('docker', ['-H', host, 'version'], { stdio: 'ignore' }).status === 0) break
    await sleep(100)
  }
  if (ended) throw new Error(`the daemon ended:\n${readFileSync(join(dir, 'log'), 'utf8').slice(-2000)}`)

  async function stop(): Promise<void> {
    for (const { name } of JSON.parse(kernel('apps:list', '--format', 'json')) as Array<{ name: string }>)
      kernel('apps:destroy', name, '--force')
    const left = spawnSync('docker', ['-H', host, 'ps', '-aq'], { encoding: 'utf8' })
      .stdout.split('\n')
      .filter(Boolean)
    if (left.length > 0) spawnSync('docker', ['-H', host, 'rm', '-f', ...left])
    daemon.kill('SIGTERM')
    while (!ended) await sleep(50)
    rmSync(dir, { recursive: true, force: true })
  }
  return { dir, host, http, ssh, kernel, stop }
}
