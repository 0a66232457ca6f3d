import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import type { HostFacts } from '../parts.ts'
import { cgroupFacts } from './cgroups.ts'
import { findProgram, programVersion, runProgram } from './programs.ts'

type Runtime = NonNullable<HostFacts['runtime']>

/** Hides cgroup version 2 from a program: crun refuses a machine that has both, and needs only version 1. */
const WITHOUT_UNIFIED = ['--mount', '--propagation', 'private', 'sh', '-c']
const HIDE_AND_RUN = 'umount "$1" && shift && exec "$@"'

/**
 * Which OCI runtime really runs a container here: each candidate runs `true` in a container made of this
 * machine's own programs, until one succeeds.
 * @param options.dir an existing folder for the short-lived bundle
 * @returns the runtime, or the reasons why there is none
 */
export async function probeRuntime(options: {
  dir: string
  prefer?: Runtime['kind']
}): Promise<{ runtime?: Runtime; reasons: string[] }> {
  const { mode, unified } = cgroupFacts()
  const kinds: Runtime['kind'][] = options.prefer === 'runc' ? ['runc', 'crun'] : ['crun', 'runc']
  const reasons: string[] = []
  for (const kind of kinds) {
    const file = findProgram(kind)
    if (!file) {
      reasons.push(`${kind} is not installed`)
      continue
    }
    const hidden = kind === 'crun' && mode === 'hybrid' ? [undefined, unified] : [undefined]
    for (const hide of hidden) {
      const failure = await tryContainer(file, options.dir, hide)
      if (failure === undefined) {
        const version = await programVersion(file)
        return { runtime: { kind, path: file, version, unmountUnified: hide !== undefined }, reasons }
      }
      reasons.push(`${kind}${hide ? ' without cgroup v2' : ''}: ${failure}`)
    }
  }
  return { reasons }
}

/** Answers undefined when the container ran and ended well, else the runtime's own words. */
async function tryContainer(
  file: string,
  dir: string,
  hide: string | undefined,
): Promise<string | undefined> {
  const id = `kernel-probe-${randomBytes(6).toString('hex')}`
  const bundle = path.join(dir, id)
  fs.mkdirSync(path.join(bundle, 'rootfs'), { recursive: true, mode: 0o700 })
  fs.writeFileSync(path.join(bundle, 'config.json'), JSON.stringify(trivialSpec(id)))
  const call = (...args: string[]) => {
    const own = ['--root', path.join(bundle, 'state'), ...args]
    if (hide === undefined) return runProgram(file, own)
    return runProgram(findProgram('unshare') ?? 'unshare', [
      ...WITHOUT_UNIFIED,
      HIDE_AND_RUN,
      'sh',
      hide,
      file,
      ...own,
    ])
  }
  try {
    const { code, stderr } = await call('run', '--bundle', bundle, id)
    if (code === 0) return undefined
    await call('delete', '--force', id)
    return firstLine(stderr) || `ended with code ${code}`
  } finally {
    fs.rmSync(bundle, { recursive: true, force: true })
  }
}

/** runc writes its log lines as `time=... level=error msg="..."`. */
function firstLine(text: string): string {
  const line = text.split('\n').find((part) => part.trim() !== '') ?? ''
  const message = /msg="((?:[^"\\]|\\.)*)"/.exec(line)?.[1]
  return (message ?? line).trim()
}

function trivialSpec(id: string) {
  const shown = ['/bin', '/sbin', '/lib', '/lib32', '/lib64', '/usr', '/nix'].filter((dir) =>
    fs.existsSync(dir),
  )
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: false,
      user: { uid: 0, gid: 0 },
      args: [findProgram('true') ?? '/bin/true'],
      env: ['PATH=/usr/sbin:/usr/bin:/sbin:/bin'],
      cwd: '/',
      noNewPrivileges: true,
    },
    root: { path: 'rootfs' },
    hostname: 'probe',
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755', 'size=64k'] },
      ...shown.map((dir) => ({ destination: dir, type: 'bind', source: dir, options: ['bind', 'ro'] })),
    ],
    linux: {
      cgroupsPath: `/${id}`,
      namespaces: ['pid', 'mount', 'ipc', 'uts', 'network'].map((type) => ({ type })),
      resources: { pids: { limit: 16 } },
    },
  }
}
