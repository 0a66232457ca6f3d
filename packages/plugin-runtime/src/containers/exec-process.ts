/** Running one more process in a container that runs. @module */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ExecCreate } from '@kernel/contracts'
import { capabilitiesOf } from './capabilities.ts'
import type { Engine } from './engine.ts'
import { environmentOf, mergeEnv } from './environment.ts'
import type { OciProcess } from './oci-types.ts'
import type { ContainerRecord } from './record.ts'
import { rlimitsOf } from './rlimits.ts'
import { securityOptionsOf } from './security-options.ts'
import { capabilitySets } from './spec.ts'
import { resolveUser } from './user.ts'

/** The process in OCI form: the container's own settings, with what the exec asks for in their place. */
export function execProcessOf(record: ContainerRecord, body: ExecCreate): OciProcess {
  const { config, hostConfig } = record
  const root = `/proc/${record.process?.pid}/root`
  const user = resolveUser(root, body.User || config.User || '', hostConfig.GroupAdd ?? [])
  const capabilities = capabilitiesOf({
    privileged: body.Privileged === true || hostConfig.Privileged === true,
    add: hostConfig.CapAdd ?? [],
    drop: hostConfig.CapDrop ?? [],
  })
  const { rlimits } = rlimitsOf(hostConfig.Ulimits)
  const [rows, columns] = body.ConsoleSize ?? []
  const tty = body.Tty === true
  return {
    terminal: tty,
    ...(tty && rows && columns ? { consoleSize: { height: rows, width: columns } } : {}),
    user: { uid: user.uid, gid: user.gid, additionalGids: user.additionalGids },
    args: body.Cmd,
    env: environmentOf({
      hostname: config.Hostname ?? '',
      tty,
      env: mergeEnv(config.Env ?? [], body.Env ?? []),
      home: user.home,
    }),
    cwd: body.WorkingDir || config.WorkingDir || '/',
    capabilities: capabilitySets(capabilities, user.uid),
    ...(rlimits.length > 0 ? { rlimits } : {}),
    noNewPrivileges: securityOptionsOf(hostConfig.SecurityOpt).noNewPrivileges,
  }
}

/** A folder of its own for an exec, with `process.json`. */
export function prepareExec(engine: Engine, record: ContainerRecord, id: string, body: ExecCreate): string {
  const dir = join(engine.bundle(record.id), `exec-${id.slice(0, 16)}`)
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  writeFileSync(join(dir, 'process.json'), JSON.stringify(execProcessOf(record, body)), { mode: 0o600 })
  return dir
}

export function discardExec(dir: string): void {
  rmSync(dir, { recursive: true, force: true })
}

/** The pid, once the process has been made. */
export function execPid(dir: string): number | undefined {
  try {
    const pid = Number(readFileSync(join(dir, 'pidfile'), 'utf8').trim())
    return pid > 0 ? pid : undefined
  } catch {
    return undefined
  }
}

/** `exec` of the OCI runtime with plain pipes: its exit code is the process's own. */
export function spawnExec(
  engine: Engine,
  record: ContainerRecord,
  dir: string,
  pipes: { stdin: boolean; stdout: boolean; stderr: boolean },
): ChildProcess {
  const [program, ...rest] = engine.runtime.command
  const end = (wanted: boolean) => (wanted ? 'pipe' : 'ignore')
  return spawn(
    program,
    [...rest, 'exec', '--pid-file', join(dir, 'pidfile'), '--process', join(dir, 'process.json'), record.id],
    { stdio: [end(pipes.stdin), end(pipes.stdout), end(pipes.stderr)] },
  )
}
