/**
 * `docker run --rm busybox true` through the real docker CLI, ours and dockerd's by turns in one run, so that
 * a noisy machine is noisy to both. Bar: our median is at most half of dockerd's.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startDockerd } from './dockerd.ts'
import { startKernel } from './kernel-daemon.ts'
import { median, ms, spread } from './statistics.ts'

const rounds = Number(process.argv[2] ?? 25)
const hangMs = 10_000

/** An image of this machine's busybox, by `docker import`'s own way: a tar that both load. */
function busyboxArchive(dir: string): string {
  const context = join(dir, 'context')
  execFileSync('mkdir', ['-p', join(context, 'bin')])
  execFileSync('cp', ['/bin/busybox', join(context, 'bin', 'busybox')])
  for (const name of ['sh', 'true', 'echo']) execFileSync('ln', ['-s', 'busybox', join(context, 'bin', name)])
  const tar = join(dir, 'context.tar')
  execFileSync('sh', [
    '-c',
    `cd '${context}' && printf 'FROM scratch\\nCOPY bin /bin\\nCMD ["sh"]\\n' > Dockerfile && tar -cf '${tar}' .`,
  ])
  return tar
}

export async function benchDockerRun(): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'bench-run-'))
  const peer = await startDockerd()
  const ours = await startKernel()
  try {
    const tar = busyboxArchive(dir)
    const subjects = [
      { name: 'kernel', host: ours.host },
      ...(peer ? [{ name: `dockerd ${peer.version}`, host: peer.host }] : []),
    ]
    for (const { host } of subjects)
      execFileSync('sh', ['-c', `docker -H ${host} build -q -t busybox:bench - < '${tar}'`], {
        stdio: ['ignore', 'ignore', 'inherit'],
        env: { ...process.env, DOCKER_BUILDKIT: '0' },
      })
    const samples = new Map(subjects.map(({ name }) => [name, [] as number[]]))
    for (let round = -2; round < rounds; round++)
      for (const { name, host } of round % 2 === 0 ? subjects : subjects.toReversed()) {
        const begun = performance.now()
        const done = spawnSync('docker', ['-H', host, 'run', '--rm', 'busybox:bench', 'true'], {
          encoding: 'utf8',
          timeout: hangMs,
          killSignal: 'SIGKILL',
        })
        // An old dockerd on a new kernel hangs now and then; it is said, and not counted against its median.
        if ((done.error as NodeJS.ErrnoException | undefined)?.code === 'ETIMEDOUT') {
          console.log(`  ${name}: a run hung for ${hangMs / 1000} s and is left out`)
          continue
        }
        if (done.status !== 0) throw new Error(`${name}: ${done.stderr}`)
        if (round >= 0) samples.get(name)!.push(performance.now() - begun)
      }
    console.log('docker run --rm busybox true')
    for (const [name, list] of samples) console.log(`  ${name.padEnd(20)} ${spread(list)}`)
    const [mine, theirs] = [...samples.values()]
    if (mine && theirs) {
      const ratio = median(mine) / median(theirs)
      console.log(`  ratio ${ratio.toFixed(2)} (bar: 0.5): ${ms(median(mine))} against ${ms(median(theirs))}`)
    }
  } finally {
    await ours.stop()
    await peer?.stop()
    rmSync(dir, { recursive: true, force: true })
  }
}

if (import.meta.main) await benchDockerRun()
