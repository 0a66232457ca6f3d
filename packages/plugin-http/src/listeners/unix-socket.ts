import { chmod, chown, lstat, mkdir, mkdtemp, readFile, rename, rm, rmdir } from 'node:fs/promises'
import net from 'node:net'
import { dirname, join } from 'node:path'
import { conflict, invalid } from '@kernel/contracts'

/**
 * Lets a server listen on a unix socket of mode 0600 (0660 where a group is named). The socket is made in a
 * private folder and moved into place, so that nobody can connect before the mode is right; the move also
 * replaces a socket that a killed daemon left behind.
 *
 * @returns what removes the socket, unless another daemon has put its own there meanwhile.
 * @throws conflict where something answers at the path, or something else than a socket is there
 */
export async function listenUnix(
  server: net.Server,
  path: string,
  group?: string,
): Promise<() => Promise<void>> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  await assertFree(path)
  const gid = group === undefined ? undefined : await groupId(group)
  const room = await mkdtemp(join(dirname(path), '.s'))
  try {
    const temporary = join(room, 's')
    await listen(server, temporary)
    if (gid !== undefined) await chown(temporary, 0, gid)
    await chmod(temporary, gid === undefined ? 0o600 : 0o660)
    await rename(temporary, path)
  } finally {
    await rm(join(room, 's'), { force: true })
    await rmdir(room)
  }
  const { ino } = await lstat(path)
  return async () => {
    const there = await lstat(path).catch(() => undefined)
    if (there?.ino === ino) await rm(path, { force: true })
  }
}

function listen(server: net.Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ path, backlog: 1024 }, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

async function assertFree(path: string): Promise<void> {
  const there = await lstat(path).catch(() => undefined)
  if (there === undefined) return
  if (!there.isSocket())
    throw conflict(`${path} exists and is no socket`, { hint: 'Move it away, or listen on another path.' })
  if (await answers(path))
    throw conflict(`Another process listens on ${path}`, { hint: 'Stop it, or listen on another path.' })
}

/** A socket without a process behind it refuses the connection. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const probe = net.connect(path)
    probe.once('connect', () => {
      probe.destroy()
      resolve(true)
    })
    probe.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED' || error.code === 'ENOENT') resolve(false)
      // A full backlog means that somebody is there, only busy.
      else if (error.code === 'EAGAIN') resolve(true)
      else reject(error)
    })
  })
}

async function groupId(group: string): Promise<number> {
  if (/^\d+$/.test(group)) return Number(group)
  const line = (await readFile('/etc/group', 'utf8'))
    .split('\n')
    .find((entry) => entry.startsWith(`${group}:`))
  const gid = Number(line?.split(':')[2])
  if (line === undefined || !Number.isInteger(gid))
    throw invalid(`There is no group "${group}" on this machine`, { hint: `Make it: groupadd ${group}` })
  return gid
}
