import { afterEach, expect, it } from 'vitest'
import { createProgram } from './program.ts'
import { type FakeDaemon, fakeDaemon, sink } from './testing.ts'

const id = (n: number) => `01KBA9Y6X0S2V2Q4N8M7T5R3P${n}`
const build = (n: number, app: string, status: string, source = 'push') => ({
  id: id(n),
  app,
  status,
  source,
  started: '2026-11-30T20:00:00.000Z',
  spans: [{ stage: 'build', ms: 1234 }],
})

let daemon: FakeDaemon | undefined
afterEach(() => daemon?.close())

/** A daemon that knows these builds, newest first. */
async function run(builds: Array<ReturnType<typeof build>>, line: string[]) {
  daemon = await fakeDaemon({
    answer({ method, url = '' }, response) {
      const [, app] = /\/apps\/(\w+)\/deploys/.exec(url) ?? []
      const [, deploy, rest] = /\/deploys\/(\w+)(\/output)?/.exec(url) ?? []
      const one = builds.find((each) => each.id === deploy)
      if (method === 'DELETE') response.writeHead(204).end()
      else if (rest) response.end(`${JSON.stringify({ kind: 'step', text: `line of ${deploy}` })}\n`)
      else if (deploy !== undefined && one === undefined)
        response.writeHead(404).end(JSON.stringify({ kind: 'not-found', message: 'none', hint: '' }))
      else if (one) response.end(JSON.stringify(one))
      else response.end(JSON.stringify(builds.filter((each) => app === undefined || each.app === app)))
    },
  })
  const [stdout, stderr] = [sink(), sink()]
  let code: number | undefined
  await createProgram({
    env: daemon.env,
    stdout,
    stderr,
    signal: new AbortController().signal,
    onExit(given) {
      code = given
    },
  }).parseAsync(line, { from: 'user' })
  const { requests } = daemon
  await daemon.close()
  daemon = undefined
  return { code, stdout: stdout.text(), stderr: stderr.text(), requests }
}

const queue = [build(3, 'blog', 'waiting'), build(2, 'blog', 'running'), build(1, 'blog', 'failed')]

it.each([
  ['the running one of an app', ['builds:attach', 'blog'], id(2)],
  ['the only running one', ['builds:attach'], id(2)],
  ['the one that is named', ['builds:attach', id(3)], id(3)],
])('attaches to %s, and ends with 1 where it did not succeed', async (_, line, wanted) => {
  const { code, stdout, requests } = await run(queue, line)
  expect([code, stdout]).toEqual([1, `-----> line of ${wanted}\n`])
  expect(requests).toContain(`GET /api/v1/deploys/${wanted}/output?follow=true`)
})

it('attaches to the newest of an app where none runs, and ends with 0 where it succeeded', async () => {
  const over = [build(2, 'blog', 'succeeded'), build(1, 'blog', 'failed')]
  expect(await run(over, ['builds:attach', 'blog'])).toMatchObject({
    code: 0,
    stdout: `-----> line of ${id(2)}\n`,
  })
})

it('does not guess between apps, and finds no build where none runs', async () => {
  const two = [build(2, 'blog', 'running'), build(1, 'shop', 'running')]
  expect(await run(two, ['builds:attach'])).toMatchObject({
    code: 4,
    stderr: expect.stringContaining('Builds of several apps run: blog, shop.'),
  })
  expect(await run([build(1, 'blog', 'failed')], ['builds:attach'])).toMatchObject({ code: 4 })
  expect(await run([], ['builds:attach', 'blog'])).toMatchObject({ code: 3 })
  expect(await run([build(1, 'blog', 'failed')], ['builds:output', 'blog', 'current'])).toMatchObject({
    code: 4,
  })
})

it('cancels the running one, then the first that waits, and none of another app', async () => {
  const cancelled = async (builds: typeof queue, ...line: string[]) =>
    (await run(builds, ['builds:cancel', ...line])).requests.find((request) => request.startsWith('DELETE'))
  expect(await cancelled(queue, 'blog')).toMatch(new RegExp(`^DELETE /api/v1/deploys/${id(2)}\\?by=\\w+$`))
  const waiting = [build(3, 'blog', 'waiting'), build(2, 'blog', 'waiting')]
  expect(await cancelled(waiting, 'blog')).toContain(id(2))
  expect(await cancelled(queue, 'blog', id(3))).toContain(id(3))
  expect(await cancelled(queue, 'shop', id(3))).toBeUndefined()
  expect(await cancelled([build(1, 'blog', 'succeeded')], 'blog')).toBeUndefined()
})

it('lists by kind, status and number', async () => {
  const builds = [
    build(4, 'blog', 'succeeded', 'rollback'),
    build(3, 'blog', 'succeeded', 'rebuild'),
    build(2, 'blog', 'failed'),
    build(1, 'blog', 'succeeded'),
  ]
  const ids = async (...line: string[]) => {
    const { stdout } = await run(builds, ['builds:list', 'blog', '--format', 'json', ...line])
    return (JSON.parse(stdout) as Array<{ id: string }>).map((one) => Number(one.id.at(-1)))
  }
  expect(await ids()).toEqual([4, 3, 2, 1])
  expect(await ids('--kind', 'deploy')).toEqual([4])
  expect(await ids('--kind', 'build', '--status', 'succeeded')).toEqual([3, 1])
  expect(await ids('-n', '2')).toEqual([4, 3])
  expect(await run(builds, ['builds:list', '--kind', 'tower'])).toMatchObject({ code: 2 })
})
