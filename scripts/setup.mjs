/**
 * Sets a fresh machine up: system packages by apt, the workspace by pnpm (with the pinned Node), the build.
 * Each step is skipped where its result is there already. Node's own modules only, Node 20 or newer.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { hasCommand, missingPackages } from './host-packages.mjs'

export const root = dirname(dirname(fileURLToPath(import.meta.url)))
const isRoot = process.getuid?.() === 0
const pnpmVersion = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).packageManager.split('@')[1]

export const step = (text) => console.log(`-----> ${text}`)
export const detail = (text) => console.log(`       ${text}`)

/** Ends the program with a message for people. */
export function giveUp(message, ...more) {
  console.error(` !     ${message}`)
  for (const line of more) console.error(`       ${line}`)
  process.exit(1)
}

function run(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options })
  if (result.error) giveUp(`${command} could not be started: ${result.error.message}`)
  if (result.signal) process.exit(130)
  if (result.status !== 0) giveUp(`${command} ${args.join(' ')} failed with exit code ${result.status}`)
}

/** Installs what is missing where that is possible, else says exactly what to install. */
export function installHostPackages(kinds) {
  const missing = missingPackages(kinds)
  if (missing.length === 0) return
  const command = `apt-get install --no-install-recommends ${missing.map((p) => p.package).join(' ')}`
  const fatal = missing.filter((p) => p.needed === 'always')
  if (isRoot && hasCommand('apt-get')) {
    step('Installing system packages')
    for (const p of missing) detail(`${p.package.padEnd(16)} ${p.why}`)
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
    const names = missing.map((p) => p.package)
    const install = () =>
      spawnSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...names], {
        stdio: ['ignore', 'ignore', 'inherit'],
        env,
      }).status === 0
    run('apt-get', ['update', '-qq'], { env })
    if (!install()) giveUp('apt-get could not install them. By hand:', command)
    return
  }
  const why = isRoot ? 'this system has no apt-get' : 'you are not root'
  if (fatal.length > 0)
    giveUp(
      `${fatal.map((p) => p.package).join(', ')} must be installed first, and ${why}. As root:`,
      command,
      ...missing.map((p) => `${p.package.padEnd(16)} ${p.why}`),
    )
  if (kinds.includes('tests') || isRoot) {
    console.log(` !     Some system packages are missing, and ${why}. To have all, as root:`)
    detail(command)
    for (const p of missing) detail(`${p.package.padEnd(16)} ${p.why}`)
  }
}

/** PATH with the pinned Node and the workspace's programs first. */
export function toolPath() {
  const pinned = join(root, 'node_modules', `node-linux-${process.arch}`, 'bin')
  return [pinned, join(root, 'node_modules', '.bin'), process.env.PATH].join(delimiter)
}
export const toolEnv = () => ({
  ...process.env,
  PATH: toolPath(),
  TURBO_TELEMETRY_DISABLED: '1',
  DO_NOT_TRACK: '1',
})

/** pnpm of the pinned version: the one on the PATH where it fits, else by npx. */
function pnpm() {
  try {
    const found = execFileSync('pnpm', ['--version'], { cwd: root, stdio: ['ignore', 'pipe', 'ignore'] })
    if (String(found).trim() === pnpmVersion) return ['pnpm']
  } catch {}
  return ['npx', '--yes', `pnpm@${pnpmVersion}`]
}

export function installWorkspace() {
  const lock = readFileSync(join(root, 'pnpm-lock.yaml'))
  const stamp = join(root, 'node_modules', '.installed')
  const fingerprint = createHash('sha256').update(lock).update(process.arch).digest('hex')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === fingerprint) return
  step('Installing the workspace')
  const [command, ...args] = pnpm()
  run(command, [...args, 'install', '--frozen-lockfile', '--reporter', 'append-only', '--loglevel', 'error'])
  mkdirSync(dirname(stamp), { recursive: true })
  writeFileSync(stamp, fingerprint)
}

/** Builds the product, or with `everything` the examples as well. */
export function build({ everything = false } = {}) {
  step('Building (what did not change comes from the cache)')
  const filter = everything ? [] : ['--filter', '@kernel/cli...']
  run('turbo', ['run', 'build', ...filter, '--output-logs', 'errors-only', '--log-order', 'grouped'], {
    env: toolEnv(),
  })
}

/** Node 20 or newer, or an explanation. */
export function checkNode() {
  if (Number(process.versions.node.split('.')[0]) < 20)
    giveUp(`Node ${process.versions.node} is too old to set up: 20 or newer is needed.`)
}
