/**
 * The demo that `npm start` gives: a daemon of its own in `.kernel/`, the app `hello` by a real push, its page.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { request } from 'node:http'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { detail, root, step, toolEnv } from './setup.mjs'

const kernelBin = join(root, 'apps', 'cli', 'bin', 'kernel.mjs')
/** The Node that the product is pinned to; asked for only after the workspace was installed. */
function node() {
  const pinned = join(root, 'node_modules', `node-linux-${process.arch}`, 'bin', 'node')
  return existsSync(pinned) ? pinned : process.execPath
}

/** The first port that can be bound, from `port` on. */
async function freePort(port, host) {
  for (let at = port; at < port + 200; at++) {
    const server = createServer()
    const free = await new Promise((resolve) => {
      server.once('error', () => resolve(false))
      server.listen(at, host, () => server.close(() => resolve(true)))
    })
    if (free) return at
  }
  throw new Error(`no free port from ${port} to ${port + 199} on ${host}`)
}

/** The ports of the last run where they are still free, so that URLs and Git remotes stay what they were. */
async function choosePorts(file) {
  const last = existsSync(file)
    ? JSON.parse(readFileSync(file, 'utf8'))
    : { http: 8080, ssh: 2222, api: 8090 }
  const ports = {
    http: await freePort(last.http, '0.0.0.0'),
    ssh: await freePort(last.ssh, '127.0.0.1'),
    api: await freePort(last.api, '127.0.0.1'),
  }
  writeFileSync(file, JSON.stringify(ports))
  return ports
}

/** `onDaemon` is given what stops the daemon as soon as there is one, ready or not. */
export async function openDemo(onDaemon) {
  const dir = process.env.KERNEL_DEMO_DIR ?? join(root, '.kernel')
  const data = join(dir, 'data')
  mkdirSync(data, { recursive: true, mode: 0o700 })
  const ports = await choosePorts(join(dir, 'ports.json'))
  const socket = join(dir, 'kernel.sock')
  const env = { ...toolEnv(), KERNEL_HOST: `unix://${socket}` }
  const kernel = (args, options = {}) => {
    const result = spawnSync(node(), [kernelBin, ...args], { cwd: root, env, encoding: 'utf8', ...options })
    if (result.status !== 0 && !options.mayFail)
      throw new Error(`kernel ${args.join(' ')}: ${result.stderr || result.stdout || result.error?.message}`)
    return result.stdout ?? ''
  }

  step('Starting the daemon')
  const log = join(dir, 'daemon.log')
  const fd = openSync(log, 'a', 0o600)
  const daemon = spawn(
    node(),
    [
      kernelBin,
      'daemon',
      '--data-dir',
      data,
      '--host',
      `unix://${socket}`,
      '--host',
      `tcp://127.0.0.1:${ports.api}`,
      '--http',
      `0.0.0.0:${ports.http}`,
      '--ssh',
      `127.0.0.1:${ports.ssh}`,
      '--stop-workloads',
      '--log-format',
      'json',
    ],
    { cwd: root, env, stdio: ['ignore', fd, fd], detached: true },
  )
  let ended = false
  daemon.once('exit', () => {
    ended = true
  })
  const stop = async () => {
    if (ended) return
    daemon.kill('SIGTERM')
    const late = setTimeout(() => daemon.kill('SIGKILL'), 60_000)
    await once(daemon, 'exit')
    clearTimeout(late)
  }
  onDaemon(stop)
  try {
    await untilReady(socket, () => ended, log)
  } catch (error) {
    await stop()
    throw error
  }
  const system = JSON.parse(kernel(['system:info', '--format', 'json']))
  detail(`data in ${data}, log in ${log}`)
  detail(`driver: ${system.driver}`)
  if (system.warning) for (const line of system.warning.split('\n')) console.log(` !     ${line}`)
  return { dir, ports, kernel, stop, env, daemon, log, ended: () => ended }
}

async function untilReady(socketPath, ended, log) {
  const deadline = Date.now() + 60_000
  while (Date.now() < deadline) {
    if (ended())
      throw new Error(`the daemon ended:\n${readFileSync(log, 'utf8').split('\n').slice(-12).join('\n')}`)
    const status = await new Promise((resolve) => {
      const ask = request({ socketPath, path: '/_ping', timeout: 30_000 }, (answer) => {
        answer.resume()
        resolve(answer.statusCode)
      })
      ask.once('error', () => resolve(0))
      ask.end()
    })
    if (status === 200) return
    await sleep(50)
  }
  throw new Error(`the daemon was not ready within 60 s; its log: ${log}`)
}

/** Pushes examples/hello-node as a user would: a repository, a key, a remote. */
export function pushHello(demo) {
  const keys = join(demo.dir, 'keys')
  mkdirSync(keys, { recursive: true, mode: 0o700 })
  const key = join(keys, 'id_ed25519')
  if (!existsSync(key)) must('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'demo', '-f', key])
  const known = JSON.parse(demo.kernel(['ssh-keys:list', '--format', 'json']))
  const publicKey = readFileSync(`${key}.pub`, 'utf8').trim()
  if (!known.some((k) => publicKey.startsWith(k.publicKey))) {
    if (known.some((k) => k.name === 'demo')) demo.kernel(['ssh-keys:remove', 'demo'])
    demo.kernel(['ssh-keys:add', 'demo', `${key}.pub`])
  }

  const source = join(demo.dir, 'hello')
  mkdirSync(source, { recursive: true })
  for (const name of readdirSync(source)) if (name !== '.git') rmSync(join(source, name), { recursive: true })
  cpSync(join(root, 'examples', 'hello-node'), source, { recursive: true })
  const git = (...args) => must('git', args, { cwd: source, stdio: ['ignore', 'ignore', 'pipe'] })
  if (!existsSync(join(source, '.git'))) git('init', '-q', '-b', 'main')
  git('add', '-A')
  const identity = ['-c', 'user.name=demo', '-c', 'user.email=demo@localhost', '-c', 'commit.gpgsign=false']
  if (spawnSync('git', ['diff', '--cached', '--quiet'], { cwd: source }).status !== 0)
    git(...identity, 'commit', '-q', '-m', 'Say hello')

  const ssh = [
    'ssh',
    '-i',
    quote(key),
    '-o',
    'IdentitiesOnly=yes',
    '-o',
    `UserKnownHostsFile=${quote(join(keys, 'known_hosts'))}`,
    '-o',
    'StrictHostKeyChecking=accept-new',
    '-F',
    'none',
  ].join(' ')
  const remote = `ssh://kernel@127.0.0.1:${demo.ports.ssh}/hello`
  step(`git push ${remote} main`)
  must('git', ['push', remote, 'main'], {
    cwd: source,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, GIT_SSH_COMMAND: ssh },
  })
  return { remote }
}

/** The dashboard's token: made at the first start and kept beside the demo's key, for this user only. */
export function demoToken(demo) {
  const file = join(demo.dir, 'keys', 'token')
  const known = JSON.parse(demo.kernel(['tokens:list', '--format', 'json'])).some(
    ({ name }) => name === 'demo',
  )
  if (known && existsSync(file)) return readFileSync(file, 'utf8')
  if (known) demo.kernel(['tokens:revoke', 'demo'])
  const { token } = JSON.parse(demo.kernel(['tokens:create', 'demo', '--format', 'json']))
  writeFileSync(file, token, { mode: 0o600 })
  return token
}

const quote = (path) => `'${path.replaceAll("'", "'\\''")}'`

function must(command, args, options = {}) {
  const result = spawnSync(command, args, { encoding: 'utf8', ...options })
  if (result.error) throw new Error(`${command}: ${result.error.message}`)
  if (result.status !== 0)
    throw new Error(`${command} ${args[0]} failed (exit code ${result.status}) ${result.stderr ?? ''}`.trim())
  return result.stdout
}

/** What the edge answers for a URL; the name is not asked of DNS, the edge is on this machine. */
export function fetchPage(url) {
  const { hostname, port, pathname, host } = new URL(url)
  return new Promise((resolve, reject) => {
    const ask = request(
      {
        host: '127.0.0.1',
        port: port || 80,
        path: pathname,
        headers: { host: port ? host : hostname },
        timeout: 15_000,
      },
      (answer) => {
        let body = ''
        answer.setEncoding('utf8').on('data', (piece) => {
          body += piece
        })
        answer.on('end', () => resolve({ status: answer.statusCode, body }))
      },
    )
    ask.once('timeout', () => ask.destroy(new Error(`no answer from ${url} within 15 s`)))
    ask.once('error', reject)
    ask.end()
  })
}
