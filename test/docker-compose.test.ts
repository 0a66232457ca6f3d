import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { findProgram, lacks, lacksContainers } from './harness/host.ts'
import { freePorts } from './harness/ports.ts'
import { type Ran, type RunOptions, run } from './harness/run.ts'
import { image, useDocker } from './harness/use-docker.ts'
import { fetchPage } from './harness/visitor.ts'

const lacking =
  lacksContainers('Compose files') || lacks('Compose files', 'docker', 'docker-compose', 'busybox')

describe.skipIf(lacking)('docker-compose', () => {
  const { lab, ok } = useDocker()

  /** A project in a folder of its own; answers what runs `docker-compose` there. */
  function project(name: string, files: Record<string, string>) {
    const dir = join(lab.daemon.dir, name)
    mkdirSync(dir)
    for (const [path, content] of Object.entries(files)) writeFileSync(join(dir, path), content)
    const compose = (args: string[], options: RunOptions = {}): Promise<Ran> =>
      run(findProgram('docker-compose')!, ['--no-ansi', ...args], {
        env: { ...lab.daemon.env, COMPOSE_PROJECT_NAME: name },
        cwd: dir,
        ...options,
      })
    return async (...args: string[]): Promise<string> => {
      const { code, stdout, output } = await compose(args)
      expect(code, `docker-compose ${args.join(' ')}: ${output}`).toBe(0)
      return stdout.trimEnd()
    }
  }

  it('builds, waits for health, joins by name, keeps data, scales, and leaves nothing', async () => {
    const [port] = await freePorts(1)
    const compose = project('shop', {
      Dockerfile: `FROM ${image}\nARG GREETING=none\nRUN echo "$GREETING" > /var/www/index.html\nCMD ["httpd", "-f", "-p", "8000", "-h", "/var/www"]\n`,
      '.env': 'GREETING=from-env-file\n',
      'worker.env': 'TOKEN=secret\nEMPTY=\n',
      'docker-compose.yml': `
version: '2.4'
services:
  web:
    build:
      context: .
      args:
        GREETING: "\${GREETING}"
    ports: ["127.0.0.1:${port}:8000"]
    networks: [front, back]
    depends_on:
      db: { condition: service_healthy }
  db:
    image: ${image}
    command: sh -c 'sleep 1; touch /data/ready; exec sleep 600'
    volumes: ["data:/data"]
    networks:
      back: { aliases: [database] }
    healthcheck: { test: ["CMD", "test", "-e", "/data/ready"], interval: 200ms, retries: 50 }
    stop_grace_period: 0s
  worker:
    image: ${image}
    command: sh -c 'echo "token=$$TOKEN"; exec sleep 600'
    env_file: worker.env
    networks: [back]
    tmpfs: ["/scratch:size=1m"]
    ulimits: { nofile: 128 }
    stop_grace_period: 0s
networks:
  front: {}
  back: { internal: true }
volumes:
  data: {}
`,
    })
    await compose('up', '-d', '--scale', 'worker=3')
    const page = await fetchPage(`http://127.0.0.1:${port}/`)
    expect(page.body).toBe('from-env-file\n')
    expect(await compose('ps', '-q', 'worker').then((ids) => ids.split('\n').length)).toBe(3)
    expect(await ok(['inspect', '-f', '{{.State.Health.Status}}', 'shop_db_1'])).toBe('healthy')
    expect(
      await compose('exec', '-T', 'web', 'sh', '-c', 'ping -c1 -w5 database > /dev/null && echo reached'),
    ).toBe('reached')
    expect(await compose('exec', '-T', 'worker', 'sh', '-c', 'ulimit -n; df -k /scratch | tail -1')).toMatch(
      /^128\ntmpfs\s+1024 /,
    )
    expect((await compose('logs', 'worker')).match(/token=secret/g)).toHaveLength(3)
    expect(await compose('port', 'web', '8000')).toBe(`127.0.0.1:${port}`)
    expect(await compose('run', '--rm', '-T', 'worker', 'sh', '-c', 'echo one-off $TOKEN')).toBe(
      'one-off secret',
    )

    // What did not change is left alone, what did is made anew with its volume.
    const before = await compose('ps', '-q', 'db')
    await compose('up', '-d', '--scale', 'worker=1')
    expect(await compose('ps', '-q', 'db')).toBe(before)
    expect(await compose('ps', '-q', 'worker').then((ids) => ids.split('\n').length)).toBe(1)
    await compose('up', '-d', '--force-recreate', '--no-deps', 'db')
    expect(await compose('ps', '-q', 'db')).not.toBe(before)
    expect(await compose('exec', '-T', 'db', 'ls', '/data')).toBe('ready')
    await compose('restart', '-t', '0', 'worker')
    await compose('pause', 'worker')
    await compose('unpause', 'worker')
    expect(await compose('top', 'worker')).toContain('sleep 600')

    await compose('down', '-v', '-t', '0', '--rmi', 'local')
    expect(await ok(['ps', '-aq'])).toBe('')
    expect(await ok(['volume', 'ls', '-q'])).toBe('')
    expect(await ok(['network', 'ls', '--format', '{{.Name}}', '--filter', 'name=shop'])).toBe('')
  }, 120_000)

  it('reads profiles, extensions, volumes from others, links and extra hosts', async () => {
    const compose = project('mixed', {
      'docker-compose.yml': `
version: '2.4'
x-base: &base
  image: ${image}
  command: sleep 600
  stop_grace_period: 0s
services:
  store:
    <<: *base
    volumes: ["/kept"]
    network_mode: bridge
  reader:
    <<: *base
    volumes_from: ["store:ro"]
    network_mode: bridge
    links: ["store:shelf"]
    extra_hosts: ["somewhere:192.0.2.7"]
    read_only: true
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
    pids_limit: 50
    mem_limit: 64m
    init: true
    labels: { team: sales }
`,
      'more.yml': `
version: '3.9'
services:
  extra:
    image: ${image}
    command: ["sh", "-c", "trap 'exit 3' TERM; echo up; while :; do sleep 0.1; done"]
    profiles: [more]
    sysctls: { net.core.somaxconn: 77 }
    hostname: named
    dns: 192.0.2.53
    restart: on-failure
`,
    })
    await compose('up', '-d')
    await compose('exec', '-T', 'store', 'sh', '-c', 'echo kept > /kept/f')
    expect(await compose('exec', '-T', 'reader', 'cat', '/kept/f')).toBe('kept')
    expect(
      await compose(
        'exec',
        '-T',
        'reader',
        'sh',
        '-c',
        'touch /kept/g 2>&1; touch /x 2>&1; grep -c "shelf\\|somewhere" /etc/hosts; exit 0',
      ),
    ).toMatch(/Read-only file system\n.*Read-only file system\n2$/)
    await compose('down', '-v', '-t', '0')

    const more = (...args: string[]) => compose('-f', 'more.yml', ...args)
    await more('up', '-d')
    expect(await more('ps', '-q')).toBe('')
    await more('--profile', 'more', 'up', '-d')
    expect(
      await more(
        'exec',
        '-T',
        'extra',
        'sh',
        '-c',
        'cat /proc/sys/net/core/somaxconn; hostname; cat /etc/resolv.conf',
      ),
    ).toMatch(/^77\nnamed\n/)
    await more('--profile', 'more', 'stop')
    expect(await ok(['inspect', '-f', '{{.State.ExitCode}}', 'mixed_extra_1'])).toBe('3')
    await more('--profile', 'more', 'down', '-v', '-t', '0')
  }, 120_000)
})
