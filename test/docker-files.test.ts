import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { lacks, lacksContainers } from './harness/host.ts'
import { image, useDocker } from './harness/use-docker.ts'

const lacking = lacksContainers('the Docker API') || lacks('the docker command line', 'docker', 'busybox')

describe.skipIf(lacking)('files in and out, by the docker command line', () => {
  const { lab, docker, ok } = useDocker()

  it.each(['created', 'running', 'stopped'])('copies to and from a container that is %s', async (state) => {
    const here = join(lab.daemon.dir, `copy-${state}`)
    mkdirSync(join(here, 'site/css'), { recursive: true })
    writeFileSync(join(here, 'site/index.html'), 'page')
    writeFileSync(join(here, 'site/css/a.css'), 'style', { mode: 0o640 })
    symlinkSync('index.html', join(here, 'site/link'))
    const name = `copy-${state}`
    await ok([
      'create',
      '--name',
      name,
      '-v',
      'shelf:/shelf',
      '-v',
      `${here}:/host:ro`,
      image,
      'sleep',
      '600',
    ])
    if (state !== 'created') await ok(['start', name])
    if (state === 'stopped') await ok(['kill', name])

    await ok(['cp', join(here, 'site'), `${name}:/var/www`])
    await ok(['cp', `${join(here, 'site')}/.`, `${name}:/shelf`])
    await ok(['cp', join(here, 'site/index.html'), `${name}:/shelf/other.html`])
    expect((await docker('cp', join(here, 'site'), `${name}:/host`)).stderr).toContain('marked read-only')
    const back = join(here, 'back')
    await ok(['cp', `${name}:/var/www/site`, back])
    expect(readFileSync(join(back, 'css/a.css'), 'utf8')).toBe('style')
    expect(statSync(join(back, 'css/a.css')).mode & 0o777).toBe(0o640)
    await ok(['cp', `${name}:/shelf/other.html`, here])
    expect(readFileSync(join(here, 'other.html'), 'utf8')).toBe('page')
    await ok(['cp', '-L', `${name}:/shelf/link`, join(here, 'followed')])
    expect(readFileSync(join(here, 'followed'), 'utf8')).toBe('page')
    const missing = await docker('cp', `${name}:/nope`, here)
    expect([missing.code, missing.stderr]).toEqual([
      1,
      expect.stringContaining(`Could not find the file /nope in container ${name}`),
    ])
    if (state !== 'running') await ok(['start', name])
    expect(
      await ok(['exec', name, 'sh', '-c', 'cat /var/www/site/link /shelf/css/a.css /shelf/other.html']),
    ).toBe('pagestylepage')
    await ok(['rm', '-f', name])
    await ok(['volume', 'rm', 'shelf'])
  })

  it('copies tars through pipes, with links that lead nowhere outside', async () => {
    await ok(['run', '-d', '--name', 'pipes', image, 'sleep', '600'])
    await ok(['exec', 'pipes', 'ln', '-s', '../../../../../../etc', '/tmp/out'])
    const dir = join(lab.daemon.dir, 'pipes')
    mkdirSync(join(dir, 'out'), { recursive: true })
    writeFileSync(join(dir, 'out/from-the-test'), 'x')
    const tar = execFileSync('tar', ['-C', dir, '-c', 'out/from-the-test'])
    expect((await lab.daemon.docker(['cp', '-', 'pipes:/tmp'], { input: tar })).code).toBe(0)
    expect(await ok(['exec', 'pipes', 'ls', '/etc/from-the-test'])).toBe('/etc/from-the-test')
    expect(existsSync('/etc/from-the-test')).toBe(false)
    const passwd = await lab.daemon.docker(['cp', 'pipes:/tmp/out/passwd', '-'])
    expect(passwd.stdout).toContain('ann:x:1000')
    await ok(['rm', '-f', 'pipes'])
  })

  it('tells what changed, commits, exports and imports it', async () => {
    await ok(['run', '--name', 'worker', image, 'sh', '-c', 'echo made > /made; rm /bin/vi; mkdir /new'])
    expect((await ok(['diff', 'worker'])).split('\n')).toEqual(['C /bin', 'D /bin/vi', 'A /made', 'A /new'])
    const id = await ok(['commit', '-m', 'why', '-a', 'ann', '-c', 'ENV FROM=commit', 'worker', 'made:1'])
    expect(id).toMatch(/^sha256:[0-9a-f]{64}$/)
    expect(
      await ok([
        'run',
        '--rm',
        'made:1',
        'sh',
        '-c',
        'cat /made; echo $FROM $FROM_IMAGE; ls /bin/vi 2>&1; true',
      ]),
    ).toMatch(/^made\ncommit yes\n.*No such file/)
    expect(await ok(['history', '--format', '{{.Comment}}', 'made:1'])).toMatch(/^why(\n|$)/)

    const tar = join(lab.daemon.dir, 'worker.tar')
    await ok(['export', '-o', tar, 'worker'])
    const imported = await ok(['import', '-c', 'CMD ["cat", "/made"]', '-m', 'imported', tar, 'flat:1'])
    expect(imported).toMatch(/^sha256:[0-9a-f]{64}$/)
    expect(await ok(['run', '--rm', 'flat:1'])).toBe('made')
    expect(await ok(['inspect', '-f', '{{len .RootFS.Layers}}', 'flat:1'])).toBe('1')
    await ok(['rm', 'worker'])
    await ok(['rmi', 'made:1', 'flat:1'])
  })

  it('lets go of a container whose reader has gone, and of one whose daemon was killed', async () => {
    await ok(['create', '--name', 'big', '-v', 'heap:/heap', image, 'sh', '-c', 'sleep 600'])
    const input = execFileSync('tar', ['-C', lab.daemon.dir, '-c', 'busybox.tar'], { maxBuffer: 1 << 28 })
    await lab.daemon.docker(['cp', '-', 'big:/heap'], { input })
    const read = () =>
      new Promise<void>((resolve, reject) => {
        const path = '/containers/big/archive?path=/heap'
        const asking = request({ socketPath: lab.daemon.socket, path, agent: false }, (answer) => {
          answer.once('data', () => {
            answer.pause()
            resolve()
          })
          answer.on('error', () => {})
        })
        asking.on('error', reject)
        asking.end()
        readers.push(() => asking.destroy())
      })
    const readers: Array<() => void> = []
    await read()
    for (const leave of readers.splice(0)) leave()
    await ok(['start', 'big'])
    await ok(['kill', 'big'])
    await read().catch(() => {})
    await lab.daemon.kill()
    await lab.daemon.start()
    await ok(['start', 'big'])
    expect(await ok(['exec', 'big', 'ls', '/heap'])).toBe('busybox.tar')
    await ok(['rm', '-f', 'big'])
    await ok(['volume', 'rm', 'heap'])
  })
})
