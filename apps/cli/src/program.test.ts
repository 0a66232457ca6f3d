import { frameType } from '@kernel/contracts'
import { type Command, CommanderError } from 'commander'
import { afterEach, describe, expect, it } from 'vitest'
import { encodeFrame } from './client/frames.ts'
import { commandGroups } from './commands/index.ts'
import { Output } from './output/output.ts'
import { createProgram, type ProgramOptions, report } from './program.ts'
import { type FakeDaemon, fakeDaemon, sink } from './testing.ts'

const specs = commandGroups.flatMap(({ commands }) => commands)

async function run(line: string[], env: NodeJS.ProcessEnv = { KERNEL_HOST: 'unix:///nonexistent.sock' }) {
  const [stdout, stderr] = [sink(), sink()]
  let code: number | undefined
  const options: ProgramOptions = {
    env,
    stdout,
    stderr,
    signal: new AbortController().signal,
    onExit(given) {
      code = given
    },
  }
  try {
    await createProgram(options).parseAsync(line, { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    code = error.exitCode === 0 ? 0 : 2
  }
  return { code, stdout: stdout.text(), stderr: stderr.text() }
}

/** The words of an example, as a shell splits them; what is redirected is not the command's. */
function words(example: string): string[] {
  return [...example.replace(/ [<>] .*$/, '').matchAll(/'([^']*)'|(\S+)/g)].map(
    ([, quoted, bare]) => quoted ?? bare!,
  )
}

describe('every command', () => {
  it('has a name of its own, in the form noun:verb or verb', () => {
    const names = specs.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
    for (const name of names) expect(name).toMatch(/^[a-z]+(-[a-z]+)*(:[a-z]+(-[a-z]+)*)?$/)
  })

  it.each(specs)(
    '$name has a summary of one line and examples that parse',
    async ({ name, summary, examples }) => {
      expect(summary).toMatch(/^\S[^\n]{4,110}[^.\n]$/)
      expect(examples.length).toBeGreaterThan(0)
      for (const example of examples) {
        const program = createProgram({
          env: {},
          stdout: sink(),
          stderr: sink(),
          signal: new AbortController().signal,
          onExit() {},
        })
        const command = program.commands.find((one) => one.name() === name)
        let ran: Command | undefined
        command?.action((...given) => {
          ran = given.at(-1)
        })
        await program.parseAsync(words(example), { from: 'user' })
        expect(ran?.name(), example).toBe(name)
      }
    },
  )

  it('takes --format json, --quiet and --trace', async () => {
    for (const { name } of specs) {
      const { stdout, code } = await run([name, '--help'])
      expect(code).toBe(0)
      expect(stdout).toMatch(/--format <format>.*\n(.*\n)*.*--quiet(.*\n)*.*--trace/)
      expect(stdout).toContain(`$ kernel ${name}`)
    }
  })
})

describe('help', () => {
  it('lists every command and every exit code', async () => {
    const { stdout, code } = await run(['help'])
    expect(code).toBe(0)
    for (const { name } of specs) expect(stdout).toMatch(new RegExp(`^  ${name} `, 'm'))
    expect(stdout).toMatch(/Exit codes:\n {2}0 .*\n {2}1 .*\n {2}2 /)
  })
})

describe('a wrong command line', () => {
  it.each([
    [['apps:lst'], /unknown command 'apps:lst'\n\(Did you mean apps:list\?\)/],
    [['logs', 'blog', '--folow'], /unknown option '--folow'\n\(Did you mean --follow\?\)/],
    [['apps:create'], /missing required argument 'app'/],
    [['apps:create', 'a', 'b'], /too many arguments/],
    [['apps:list', '--format', 'xml'], /text, json/],
  ])('%j ends with 2 and says what is meant', async (line, words) => {
    const { code, stderr, stdout } = await run(line)
    expect(code).toBe(2)
    expect(stderr).toMatch(words)
    expect(stderr).toMatch(/^ ! {5}/)
    expect(stdout).toBe('')
  })

  it('that commander can not see is refused before the daemon is asked', async () => {
    expect(await run(['ps:scale', 'blog', 'web'])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/TYPE=COUNT/),
    })
    expect(await run(['config:set', 'blog', 'SECRETVALUE'])).toMatchObject({ code: 2 })
    expect((await run(['config:set', 'blog', 'SECRETVALUE'])).stderr).not.toContain('SECRETVALUE')
    expect(await run(['run', '-e', 'x', 'blog', 'ls'])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/KEY=value/),
    })
    expect(await run(['apps:list', '--host', 'nowhere'])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/no address/),
    })
    expect(await run(['complete', 'tcsh'])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/bash, zsh, fish/),
    })
  })
})

describe('without a daemon', () => {
  it('commands end with 6 and say how to start one', async () => {
    const { code, stderr } = await run(['apps:list'])
    expect(code).toBe(6)
    expect(stderr).toBe(
      ' !     No daemon answers at unix:///nonexistent.sock.\n       Start it with `kernel daemon`, or name another with --host or KERNEL_HOST\n',
    )
  })

  it('a machine reads the same as JSON', async () => {
    const { code, stderr } = await run(['apps:list', '--format', 'json'])
    expect(code).toBe(6)
    expect(JSON.parse(stderr)).toMatchObject({
      error: { message: expect.stringMatching(/No daemon/), hint: expect.stringMatching(/kernel daemon/) },
    })
  })

  it('the version is still told', async () => {
    expect(await run(['version'])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^kernel \d+\.\d+\.\d+\n$/),
    })
  })
})

describe('with a daemon', () => {
  let daemon: FakeDaemon
  afterEach(() => daemon.close())
  const answering = async (body: unknown, status = 200) => {
    daemon = await fakeDaemon({
      answer: (_request, response) => response.writeHead(status).end(JSON.stringify(body)),
    })
    return daemon.env
  }
  const app = {
    name: 'blog',
    state: 'running',
    urls: ['http://blog.localhost'],
    release: 'v3',
    created: '2026-05-05T12:00:00Z',
    processes: { web: 2 },
    locked: false,
  }

  it('apps are a table for people and JSON for machines', async () => {
    const env = await answering([app])
    expect((await run(['apps:list'], env)).stdout).toMatch(
      /^APP +STATE +RELEASE +PROCESSES +DEPLOYED +URL\nblog +running +v3 +web=2 +http:\/\/blog\.localhost\n$/,
    )
    expect(JSON.parse((await run(['apps:list', '--format', 'json'], env)).stdout)).toEqual([app])
  })

  it('--host goes before KERNEL_HOST', async () => {
    const { KERNEL_HOST } = await answering([])
    const { code } = await run(['apps:list', '--host', KERNEL_HOST!], {
      KERNEL_HOST: 'unix:///nonexistent.sock',
    })
    expect(code).toBe(0)
  })

  it.each([
    ['not-found', 3],
    ['conflict', 4],
    ['denied', 5],
    ['failed', 1],
  ])('a problem of kind %s ends the command with %i', async (kind, code) => {
    const env = await answering({ kind, message: 'It did not work.', hint: 'Try this.' }, 500)
    expect(await run(['apps:report', 'blog'], env)).toEqual({
      code,
      stdout: '',
      stderr: ' !     It did not work.\n       Try this.\n',
    })
  })

  it('arguments with dashes reach their command', async () => {
    const env = await answering(null)
    await run(['apps:rename', 'blog', 'journal'], env)
    await run(['config:clear', 'blog'], env)
    expect(daemon.requests[0]).toBe('POST /api/v1/apps/blog/rename {"name":"journal"}')
  })

  it('an app is destroyed only where its name was confirmed', async () => {
    const env = await answering(null)
    expect(await run(['apps:destroy', 'blog'], env)).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/--confirm blog/),
    })
    expect(await run(['apps:destroy', 'blog', '--confirm', 'other'], env)).toMatchObject({ code: 2 })
    expect(daemon.requests).toEqual([])
    expect(await run(['apps:destroy', 'blog', '--confirm', 'blog'], env)).toMatchObject({ code: 0 })
    expect(daemon.requests).toEqual(['DELETE /api/v1/apps/blog'])
  })

  it('an operation prints its lines, and for machines the result as the last one', async () => {
    daemon = await fakeDaemon({
      answer: (_request, response) => response.end('{"kind":"step","text":"Stopping"}\n{"result":null}\n'),
    })
    expect((await run(['ps:stop', 'blog'], daemon.env)).stdout).toBe('-----> Stopping\n')
    expect((await run(['ps:stop', 'blog', '--format', 'json'], daemon.env)).stdout).toBe(
      '{"kind":"step","text":"Stopping"}\n{"result":null}\n',
    )
  })

  it('run and enter send the command, with or without -- before it', async () => {
    daemon = await fakeDaemon({
      upgrade(_request, socket) {
        socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n')
        socket.write(encodeFrame(frameType.exit, Buffer.from('{"exitCode":7}')))
      },
    })
    const sent = async (...line: string[]) => {
      daemon.requests.length = 0
      const { code } = await run(line, daemon.env)
      const { searchParams } = new URL(daemon.requests[0]!.slice('POST '.length), 'http://daemon')
      return [code, searchParams.get('command'), searchParams.get('process') ?? searchParams.get('env')]
    }
    expect(await sent('run', '-e', 'A=1', '-e', 'B=2', 'blog', 'ls', '-l', '--all')).toEqual([
      7,
      '["ls","-l","--all"]',
      '{"A":"1","B":"2"}',
    ])
    expect(await sent('run', 'blog', '--', 'ls', '-l')).toEqual([7, '["ls","-l"]', '{}'])
    expect(await sent('enter', 'blog')).toEqual([7, '["/bin/sh"]', null])
    expect(await sent('enter', 'blog', 'web.1', 'ps', '-ef')).toEqual([7, '["ps","-ef"]', 'web.1'])
    expect(await sent('enter', 'blog', '--', 'ps', '-ef')).toEqual([7, '["ps","-ef"]', null])
  })

  it('checks that do not pass end with 1', async () => {
    daemon = await fakeDaemon({
      answer: (_request, response) => response.end('{"result":{"passed":false}}\n'),
    })
    expect(await run(['checks:run', 'blog'], daemon.env)).toMatchObject({ code: 1 })
  })

  it('a value that is not set ends with 3', async () => {
    const env = await answering({ A: "it's" })
    expect(await run(['config:get', 'blog', 'A'], env)).toMatchObject({ code: 0, stdout: "it's\n" })
    expect(await run(['config:get', 'blog', 'B'], env)).toMatchObject({ code: 3, stdout: '' })
    expect((await run(['config:export', 'blog'], env)).stdout).toBe("export A='it'\\''s'\n")
  })
})

describe('over SSH', () => {
  const env = { KERNEL_OVER_SSH: '1', KERNEL_HOST: 'unix:///nonexistent.sock' }

  it.each(specs.filter(({ overSsh }) => overSsh === false).map(({ name, args }) => [name, args]))(
    '%s does not run',
    async (name, args) => {
      const line = args ? [name, 'bash'] : [name]
      expect(await run(line, env)).toMatchObject({
        code: 5,
        stderr: ` !     ${name} does not run over SSH.\n`,
      })
    },
  )

  it('daemon, doctor and the forced command are among them', () => {
    const local = specs.filter(({ overSsh }) => overSsh === false).map(({ name }) => name)
    expect(local).toEqual(
      expect.arrayContaining(['daemon', 'doctor', 'ssh-exec', 'ssh-keys:authorized-keys']),
    )
  })

  it('no other daemon is asked, and no file of the server is read', async () => {
    expect(await run(['apps:list', '--host', 'tcp://10.0.0.1:1'], env)).toMatchObject({ code: 5 })
    expect(await run(['ssh-keys:add', 'ann', '/etc/shadow'], env)).toMatchObject({
      code: 5,
      stderr: expect.stringMatching(/no file of the server/),
    })
  })

  it('the rest does', async () => {
    expect(await run(['apps:list'], env)).toMatchObject({ code: 6 })
  })
})

describe('what is reported', () => {
  const out = (stderr = sink()) => ({
    stderr,
    out: new Output({ format: 'text', quiet: false, stdout: sink(), stderr }),
  })

  it('is 130 where the user interrupted, without a word', () => {
    const { out: output, stderr } = out()
    expect(report(new Error('aborted'), output, { interrupted: true })).toBe(130)
    expect(stderr.text()).toBe('')
  })

  it('is 1 for a fault, with its place where it was asked for', () => {
    const { out: output, stderr } = out()
    expect(report(new Error('broken'), output)).toBe(1)
    expect(stderr.text()).toBe(' !     broken\n')
    report(new Error('broken'), output, { trace: true })
    expect(stderr.text()).toContain('program.test.ts')
  })
})
