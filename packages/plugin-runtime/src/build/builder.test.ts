import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import os from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { lacking, openTestRuntime } from './testing.ts'

const reason = lacking()
if (reason) console.log(`builder: builds with real containers are skipped, this ${reason}`)

describe.runIf(!reason)('the builder', () => {
  let runtime: Awaited<ReturnType<typeof openTestRuntime>>
  let dir: string
  let output: string

  beforeAll(async () => {
    runtime = await openTestRuntime()
    await runtime.addBusybox()
  })
  afterAll(() => runtime.dispose())
  beforeEach(() => {
    dir = fs.mkdtempSync(join(os.tmpdir(), 'context-'))
    return () => fs.rmSync(dir, { recursive: true, force: true })
  })

  type Request = Parameters<typeof runtime.builder.build>[0]
  async function build(dockerfile: string, options: Partial<Request> = {}) {
    output = ''
    const request: Request = { context: { dir }, dockerfile: { text: dockerfile }, ...options }
    const { id } = await runtime.builder.build(request, ({ stream = '' }) => {
      output += stream
    })
    return runtime.images.inspect(id)
  }

  /** What a shell line prints in a container of the image. */
  async function inside(image: string, line: string): Promise<string> {
    const { containers } = runtime
    const { id } = await containers.create(undefined, {
      Image: image,
      Entrypoint: [],
      Cmd: ['/bin/sh', '-c', line],
    })
    try {
      const { output: chunks } = await containers.attach(id, { stdout: true, stderr: true, stream: true })
      await containers.start(id)
      let text = ''
      for await (const { data } of chunks) text += Buffer.from(data).toString()
      return text.trim()
    } finally {
      await containers.remove(id, { force: true })
    }
  }

  /** Slow parts of a removal go on behind it. */
  async function settledLedger() {
    const entries = () => runtime.store.ledger()
    await expect
      .poll(async () =>
        (await entries()).filter(({ kind, pinnedBy }) => kind === 'snapshot' || pinnedBy.length === 0),
      )
      .toEqual([])
    return entries()
  }

  it('runs every instruction', async () => {
    fs.mkdirSync(join(dir, 'src/deep'), { recursive: true })
    fs.writeFileSync(join(dir, 'src/one.txt'), 'one\n')
    fs.writeFileSync(join(dir, 'src/deep/two.sh'), '#!/bin/sh\necho two\n', { mode: 0o755 })
    fs.symlinkSync('one.txt', join(dir, 'src/link'))
    execFileSync('tar', ['-czf', join(dir, 'more.tgz'), '-C', join(dir, 'src'), 'one.txt'])
    const image = await build(
      `ARG BASE=busybox
FROM \${BASE}
LABEL maintainer="some one" purpose=test
ENV GREETING="hello world" DIR=/srv
WORKDIR \${DIR}/app
COPY --chown=web:web src/ .
ADD more.tgz /unpacked/
COPY src/*.txt src/deep/two.sh /files/
ARG WHO=nobody
RUN echo "$GREETING from $WHO" > said && \\
    # a comment
    id -u > uid
RUN <<EOF
echo first > /heredoc
echo second >> /heredoc
EOF
COPY <<EOF /text
value: $GREETING
EOF
SHELL ["/bin/busybox", "sh", "-c"]
RUN echo from another shell > /shell
USER web:web
EXPOSE 8080 53/udp
VOLUME ["/data"]
STOPSIGNAL SIGQUIT
HEALTHCHECK --interval=5s --timeout=1m30s --retries=2 CMD test -f /text
ENTRYPOINT ["/bin/sh", "-c"]
CMD ["echo default"]
`,
      { buildArgs: { WHO: 'the test' }, tags: ['built:1'], labels: { added: 'yes' } },
    )
    expect(image.repoTags).toEqual(['built:1'])
    const { config } = image.config
    expect(config).toMatchObject({
      WorkingDir: '/srv/app',
      User: 'web:web',
      ExposedPorts: { '8080/tcp': {}, '53/udp': {} },
      Volumes: { '/data': {} },
      StopSignal: 'SIGQUIT',
      Entrypoint: ['/bin/sh', '-c'],
      Cmd: ['echo default'],
      Shell: ['/bin/busybox', 'sh', '-c'],
      Labels: { maintainer: 'some one', purpose: 'test', added: 'yes' },
      Healthcheck: { Test: ['CMD-SHELL', 'test -f /text'], Interval: 5e9, Timeout: 90e9, Retries: 2 },
    })
    expect(config?.Env).toEqual(['PATH=/bin', 'GREETING=hello world', 'DIR=/srv'])
    expect(await inside('built:1', 'cat said uid /heredoc /text /shell')).toBe(
      'hello world from the test\n0\nfirst\nsecond\nvalue: hello world\nfrom another shell',
    )
    expect(
      await inside('built:1', 'stat -c "%u:%g %a" one.txt deep deep/two.sh; readlink link; deep/two.sh'),
    ).toBe('1000:1001 644\n1000:1001 755\n1000:1001 755\none.txt\ntwo')
    expect(await inside('built:1', 'ls /unpacked /files; id -u')).toBe(
      '/files:\none.txt\ntwo.sh\n\n/unpacked:\none.txt\n1000',
    )
    expect(output).toMatch(/Step 1\/\d+ : FROM/)
    expect(output).toMatch(/Successfully built [0-9a-f]{12}\nSuccessfully tagged built:1\n$/)
    // What the engine mounts is no change of the image.
    expect(await inside('built:1', 'ls /etc')).toBe('group\nhostname\nhosts\npasswd\nresolv.conf')
    const layers = await Promise.all(image.diffIds.slice(1).map((id) => runtime.images.layerDir(id)))
    for (const layer of layers) expect(fs.existsSync(join(layer, 'etc/hosts'))).toBe(false)
  })

  it('takes unchanged steps from the cache, and only those', async () => {
    const text = 'FROM busybox\nCOPY a /a\nRUN echo ran > /b\nCOPY c /c\n'
    fs.writeFileSync(join(dir, 'a'), 'a')
    fs.writeFileSync(join(dir, 'c'), 'c')
    const first = await build(text)
    const again = await build(text)
    expect(again.id).toBe(first.id)
    expect(output.match(/Using cache/g)?.length).toBe(3)
    fs.writeFileSync(join(dir, 'c'), 'changed')
    const changed = await build(text)
    expect(output.match(/Using cache/g)?.length).toBe(2)
    expect(changed.diffIds.slice(0, 3)).toEqual(first.diffIds.slice(0, 3))
    fs.writeFileSync(join(dir, 'a'), 'changed')
    await build(text)
    expect(output).not.toMatch(/Using cache/)
    await build(text, { noCache: true })
    expect(output).not.toMatch(/Using cache/)
  })

  it('builds only the stages that are needed, and copies between them', async () => {
    const text = `FROM busybox AS tools
RUN mkdir /out && echo tool > /out/tool
FROM busybox AS unused
RUN exit 1
FROM tools AS more
RUN echo more >> /out/tool
FROM scratch
COPY --from=more /out/ /
COPY --from=busybox:latest /bin/busybox /bin/busybox
COPY --from=0 /out/tool /first
CMD ["/bin/busybox", "cat", "/tool"]
`
    const image = await build(text)
    const rootfs = image.diffIds.map((id) => runtime.images.layerDir(id))
    const files = (await Promise.all(rootfs)).flatMap((layer) => fs.readdirSync(layer)).sort()
    expect(files).toEqual(['bin', 'first', 'tool'])
    expect(output).not.toMatch(/exit 1/)
    const target = await build(text, { target: 'tools' })
    expect(await inside(target.id, 'cat /out/tool')).toBe('tool')
    await expect(build(text, { target: 'nothing' })).rejects.toThrow(/target stage "nothing"/)
  })

  it('leaves out what .dockerignore names', async () => {
    for (const name of ['keep', 'drop', 'logs/a', 'logs/b']) {
      fs.mkdirSync(join(dir, name, '..'), { recursive: true })
      fs.writeFileSync(join(dir, name), name)
    }
    fs.writeFileSync(join(dir, '.dockerignore'), '# no logs\ndrop\nlogs\n!logs/b\n.dockerignore\n')
    const image = await build('FROM busybox\nCOPY . /all/\n')
    expect(await inside(image.id, 'cd /all && find . -type f | sort')).toBe('./keep\n./logs/b')
    await expect(build('FROM busybox\nCOPY drop /x\n')).rejects.toThrow(/excluded by .dockerignore/)
  })

  it('never reads outside the context', async () => {
    fs.symlinkSync('/etc/passwd', join(dir, 'escape'))
    await expect(build('FROM busybox\nCOPY escape /x\n')).rejects.toThrow(/file does not exist/)
    await expect(build('FROM busybox\nCOPY ../../../etc/hostname /x\n')).rejects.toThrow(
      /file does not exist/,
    )
    fs.symlinkSync('/etc/passwd', join(dir, 'Dockerfile'))
    await expect(build('', { dockerfile: { path: 'Dockerfile' } })).rejects.toThrow(/Cannot locate/)
  })

  it('never writes outside the image', async () => {
    fs.writeFileSync(join(dir, 'f'), 'mine')
    const before = fs.existsSync('/tmp/kernel-builder-escape')
    const image = await build('FROM busybox\nRUN ln -s /tmp/kernel-builder-escape /out\nCOPY f /out/\n')
    expect(await inside(image.id, 'cat /tmp/kernel-builder-escape/f')).toBe('mine')
    expect(fs.existsSync('/tmp/kernel-builder-escape')).toBe(before)
  })

  it('says what failed and keeps nothing of a scoped build', async () => {
    const before = await settledLedger()
    const text = 'FROM busybox\nRUN echo a > /a\nRUN echo no luck; exit 3\n'
    await expect(build(text, { cacheScope: { keeper: 'artifact', id: 'b1' } })).rejects.toThrow(
      /returned a non-zero code: 3/,
    )
    expect(output).toMatch(/no luck/)
    await expect.poll(() => runtime.store.ledger(), { timeout: 10_000 }).toEqual(before)
    expect(await runtime.containers.list({ all: true })).toEqual([])
  })

  it('keeps the cache of a scoped build as long as its image', async () => {
    const before = await settledLedger()
    const text = 'FROM busybox AS one\nRUN echo scoped > /a\nFROM busybox\nCOPY --from=one /a /a\n'
    const scope = { cacheScope: { keeper: 'artifact', id: 'b2' } }
    const image = await build(text, scope)
    await build(text, scope)
    expect(output.match(/Using cache/g)?.length).toBe(2)
    await runtime.builder.releaseScope(image.id)
    await runtime.images.unkeep('artifact', image.id)
    await expect.poll(() => runtime.store.ledger(), { timeout: 10_000 }).toEqual(before)
  })

  it('keeps secrets out of the image', async () => {
    const secretEnv = { TOKEN: 'very-secret-value' }
    const image = await build('FROM busybox\nRUN test ${#TOKEN} = 17 && echo used > /used\n', {
      secretEnv,
    })
    expect(JSON.stringify(image)).not.toMatch(/very-secret/)
    expect(await inside(image.id, 'cat /used; echo "[$TOKEN]"')).toBe('used\n[]')
    await build('FROM busybox\nRUN test ${#TOKEN} = 17 && echo used > /used\n', { secretEnv })
    expect(output).toMatch(/Using cache/)
  })

  it('takes a tar as context, and ADD takes URLs', async () => {
    fs.writeFileSync(join(dir, 'Dockerfile'), 'FROM busybox\nARG URL\nADD $URL /got/\nCOPY f /f\n')
    fs.writeFileSync(join(dir, 'f'), 'in the tar')
    const tar = execFileSync('tar', ['-cz', '-C', dir, '.'])
    const server = http.createServer((_, response) => response.end('by http')).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/some/file.txt`
    try {
      const context = {
        tar: (async function* () {
          yield tar
        })(),
      }
      const image = await build('', { context, dockerfile: undefined, buildArgs: { URL: url } })
      expect(await inside(image.id, 'cat /got/file.txt /f')).toBe('by httpin the tar')
    } finally {
      server.close()
    }
  })

  it('runs ONBUILD triggers in the image on top', async () => {
    await build('FROM busybox\nONBUILD RUN echo triggered > /onbuild\n', { tags: ['trigger:1'] })
    const image = await build('FROM trigger:1\nRUN cat /onbuild\n')
    expect(output).toMatch(/triggered/)
    expect(image.config.config?.OnBuild).toBeUndefined()
  })

  it('ends when it is cancelled', async () => {
    const abort = new AbortController()
    setTimeout(() => abort.abort(), 500)
    await expect(build('FROM busybox\nRUN sleep 60\n', { signal: abort.signal })).rejects.toThrow(/cancelled/)
    expect(await runtime.containers.list({ all: true })).toEqual([])
  })
})
