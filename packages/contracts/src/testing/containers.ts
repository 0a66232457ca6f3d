/** What every implementation of Containers promises. @module */
import assert from 'node:assert/strict'
import type { ContainerCreate, Containers, ProcessStream } from '../containers.ts'
import { casesOf, eventually, type Subject, type SuiteCase } from './suite.ts'

async function outputOf(stream: ProcessStream): Promise<{ out: string; err: string }> {
  const text = { out: '', err: '' }
  for await (const { stream: number, data } of stream.output)
    text[number === 1 ? 'out' : 'err'] += Buffer.from(data).toString('utf8')
  return text
}

/** Runs a container as `docker run` does: attach and wait before the start. */
async function run(containers: Containers, body: ContainerCreate) {
  const { id } = await containers.create(undefined, body)
  const stream = await containers.attach(id, { stdin: true, stdout: true, stderr: true, stream: true })
  const exit = containers.wait(id, 'next-exit')
  await containers.start(id)
  return { id, stream, exit }
}

/** @param image an image with a shell as `sh` and the usual small programs; the subject starts without containers */
export function containersSuite(make: () => Promise<Subject<Containers>>, image: string): SuiteCase[] {
  const shell = (line: string, change: Partial<ContainerCreate> = {}): ContainerCreate => ({
    Image: image,
    Cmd: ['sh', '-c', line],
    ...change,
  })

  return casesOf(make, {
    async 'loses no byte of a process that ends at once'(containers) {
      for (let round = 0; round < 5; round++) {
        const { id, stream, exit } = await run(containers, shell('echo out; echo err >&2; exit 3'))
        assert.deepEqual(await outputOf(stream), { out: 'out\n', err: 'err\n' })
        assert.equal((await exit).exitCode, 3)
        await containers.remove(id)
      }
    },

    async 'hands over input and its end'(containers) {
      const { stream, exit } = await run(containers, shell('cat', { OpenStdin: true, StdinOnce: true }))
      await stream.write(Buffer.from('some '))
      await stream.write(Buffer.from('input'))
      await stream.closeInput()
      assert.equal((await outputOf(stream)).out, 'some input')
      assert.equal((await exit).exitCode, 0)
    },

    async 'gives each of several readers everything'(containers) {
      const { id } = await containers.create(undefined, shell('seq 1 5000'))
      const readers = await Promise.all(
        [1, 2, 3].map(() => containers.attach(id, { stdout: true, stream: true })),
      )
      await containers.start(id)
      const outputs = await Promise.all(readers.map(outputOf))
      assert.deepEqual(new Set(outputs.map(({ out }) => out.length)), new Set([23_893]))
    },

    async 'keeps logs with times, by stream, from the end'(containers) {
      const { id, exit } = await run(containers, shell('for i in 1 2 3; do echo $i; done; echo e >&2'))
      await exit
      const texts = async (options: Parameters<Containers['logs']>[1]) => {
        const lines: string[] = []
        for await (const { data, time } of await containers.logs(id, options)) {
          assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/)
          lines.push(Buffer.from(data).toString('utf8'))
        }
        return lines
      }
      assert.deepEqual(await texts({ stdout: true, stderr: false }), ['1\n', '2\n', '3\n'])
      assert.deepEqual(await texts({ stdout: false, stderr: true }), ['e\n'])
      assert.deepEqual(await texts({ stdout: true, stderr: false, tail: 2 }), ['2\n', '3\n'])
      assert.deepEqual(await texts({ tail: 0 }), [])
      assert.deepEqual(await texts({ since: BigInt(Date.now() + 60_000) * 1_000_000n }), [])
      assert.equal((await texts({ follow: true })).length, 4)
    },

    async 'ends a followed log with the container'(containers) {
      const { id } = await containers.create(undefined, shell('echo one; sleep 0.3; printf two'))
      await containers.start(id)
      let text = ''
      for await (const { data } of await containers.logs(id, { follow: true })) text += Buffer.from(data)
      assert.equal(text, 'one\ntwo')
    },

    async 'says nothing to do where nothing is to do'(containers) {
      const { id } = await containers.create(undefined, shell('sleep 100'))
      await assert.rejects(containers.stop(id), { kind: 'not-modified' })
      await containers.start(id)
      await assert.rejects(containers.start(id), { kind: 'not-modified' })
      await assert.rejects(containers.remove(id), { kind: 'conflict' })
      await containers.stop(id, { timeoutSec: 0 })
      await assert.rejects(containers.stop(id), { kind: 'not-modified' })
      await assert.rejects(containers.kill(id), { kind: 'conflict' })
    },

    async 'says what is unknown'(containers) {
      await assert.rejects(containers.inspect('nobody'), {
        kind: 'not-found',
        message: 'No such container: nobody',
      })
      await assert.rejects(containers.wait('nobody'), { kind: 'not-found' })
      await assert.rejects(containers.execInspect('f'.repeat(64)), { kind: 'not-found' })
      await assert.rejects(containers.create(undefined, { Image: 'no-such-image:none', Cmd: ['true'] }), {
        kind: 'not-found',
      })
    },

    async 'keeps a container that could not be started'(containers) {
      const { id } = await containers.create(undefined, { Image: image, Cmd: ['no-such-program'] })
      await assert.rejects(containers.start(id), /executable file not found in \$PATH/)
      const { State } = await containers.inspect(id)
      assert.equal(State.Status, 'created')
      assert.equal(State.ExitCode, 127)
    },

    async 'gives a name to one container at a time'(containers) {
      const { id } = await containers.create('twin', shell('true'))
      await assert.rejects(containers.create('twin', shell('true')), {
        kind: 'conflict',
        message: /The container name "\/twin" is already in use by container/,
      })
      await containers.rename(id, 'other')
      await containers.create('twin', shell('true'))
      assert.equal((await containers.inspect('other')).Id, id)
    },

    async 'frees the name before it says removed'(containers) {
      for (let round = 0; round < 3; round++) {
        const { id } = await containers.create('again', shell('exit 4', { HostConfig: { AutoRemove: true } }))
        const removed = containers.wait(id, 'removed')
        await containers.start(id)
        assert.equal((await removed).exitCode, 4)
        await assert.rejects(containers.inspect(id), { kind: 'not-found' })
      }
    },

    async 'knows the exit code of an exec before its stream ends'(containers) {
      const { id } = await containers.create(undefined, shell('sleep 100', { Env: ['A=a'] }))
      await assert.rejects(containers.execCreate(id, { Cmd: ['true'] }), { kind: 'conflict' })
      await containers.start(id)
      const exec = await containers.execCreate(id, {
        Cmd: ['sh', '-c', 'cat; echo "$A$B" >&2; exit 6'],
        AttachStdin: true,
        AttachStdout: true,
        AttachStderr: true,
        Env: ['B=b'],
      })
      assert.equal((await containers.execInspect(exec)).ExitCode, null)
      const stream = await containers.execStart(exec, { attach: true })
      await stream.write(Buffer.from([0, 255, 10]))
      await stream.closeInput()
      const chunks: Buffer[] = []
      for await (const { stream: number, data } of stream.output)
        if (number === 1) chunks.push(Buffer.from(data))
      assert.deepEqual([...Buffer.concat(chunks)], [0, 255, 10])
      assert.equal((await containers.execInspect(exec)).ExitCode, 6)
      await assert.rejects(containers.execStart(exec, { attach: true }), { kind: 'conflict' })
    },

    async 'restarts by policy until it is stopped'(containers) {
      const policy = { RestartPolicy: { Name: 'always' as const } }
      const { id } = await containers.create(undefined, shell('exit 1', { HostConfig: policy }))
      await containers.start(id)
      await eventually('a restart', async () => (await containers.inspect(id)).RestartCount > 0)
      await containers.stop(id, { timeoutSec: 0 }).catch(() => {})
      assert.equal((await containers.inspect(id)).State.Status, 'exited')
    },

    async 'lists by state, label and name'(containers) {
      const labelled = await containers.create('first', shell('sleep 100', { Labels: { tier: 'web' } }))
      const second = await containers.create('second', shell('true'))
      await containers.start(labelled.id)
      const ids = async (options: Parameters<Containers['list']>[0]) =>
        (await containers.list(options)).map(({ Id }) => Id)
      assert.deepEqual(await ids({}), [labelled.id])
      assert.deepEqual(await ids({ all: true }), [second.id, labelled.id])
      assert.deepEqual(await ids({ all: true, filters: { label: ['tier=web'] } }), [labelled.id])
      assert.deepEqual(await ids({ filters: { status: ['created'] } }), [second.id])
      assert.deepEqual(await ids({ all: true, filters: { name: ['^/sec'] } }), [second.id])
      assert.deepEqual(await ids({ all: true, limit: 1 }), [second.id])
      await assert.rejects(containers.list({ filters: { nonsense: ['x'] } }), { kind: 'invalid' })
    },
  })
}
