/** Users and groups of a container, looked up in its own /etc/passwd and /etc/group. @module */
import fs from 'node:fs'
import { invalid } from '@kernel/contracts'
import { openInRoot } from '@kernel/sys'
import type { OciUser } from './oci-types.ts'

/** Longest file that is read; a container writes it, so it is bounded. */
const MAX_BYTES = 8 << 20
const MAX_ID = 0x7fffffff

export interface ResolvedUser extends OciUser {
  home: string
}

/**
 * What `USER` or `--user` means inside a root file system: `name`, `uid`, `name:group`, `uid:gid`. Numbers
 * need no entry, names do (as Docker has it).
 * @param groupAdd further groups by name or number
 * @throws invalid `unable to find user x: no matching entries in passwd file`
 */
export function resolveUser(rootfs: string, user: string, groupAdd: string[] = []): ResolvedUser {
  const colon = user.indexOf(':')
  const userPart = colon < 0 ? user : user.slice(0, colon)
  const groupPart = colon < 0 ? '' : user.slice(colon + 1)
  const passwd = readRecords(rootfs, '/etc/passwd')
  const wanted = userPart === '' ? '0' : userPart
  const entry =
    passwd.find((fields) => fields[0] === wanted) ??
    passwd.find((fields) => isId(wanted) && fields[2] === wanted)
  if (!entry && !isId(wanted))
    throw invalid(`unable to find user ${wanted}: no matching entries in passwd file`)

  const uid = idOf(entry?.[2] ?? wanted)
  const groups = groupPart !== '' || groupAdd.length > 0 || entry ? readRecords(rootfs, '/etc/group') : []
  const groupId = (name: string): number => {
    const found =
      groups.find((fields) => fields[0] === name) ?? groups.find((fields) => isId(name) && fields[2] === name)
    if (!found && !isId(name))
      throw invalid(`unable to find group ${name}: no matching entries in group file`)
    return idOf(found?.[2] ?? name)
  }
  const gid = groupPart !== '' ? groupId(groupPart) : entry ? idOf(entry[3] ?? '0') : 0
  const supplementary =
    groupPart === '' && entry
      ? groups
          .filter((fields) => (fields[3] ?? '').split(',').includes(entry[0] ?? ''))
          .map((fields) => Number(fields[2]))
      : []
  const additional = new Set([gid, ...supplementary.filter(Number.isInteger), ...groupAdd.map(groupId)])
  return { uid, gid, additionalGids: [...additional], home: entry?.[5] || '/' }
}

function isId(text: string): boolean {
  return /^\d{1,10}$/.test(text)
}

function idOf(text: string): number {
  const id = Number(text)
  if (!Number.isInteger(id) || id < 0 || id > MAX_ID)
    throw invalid(`uids and gids must be in range 0-${MAX_ID}`)
  return id
}

/** Lines of `a:b:c`; no file, no lines. Links never lead out of the root. */
function readRecords(rootfs: string, path: string): string[][] {
  let fd: number
  try {
    fd = openInRoot(rootfs, path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK)
  } catch {
    return []
  }
  try {
    const { size } = fs.fstatSync(fd)
    const bytes = Buffer.alloc(Math.min(Number(size), MAX_BYTES))
    const length = fs.readSync(fd, bytes, 0, bytes.length, 0)
    return bytes
      .toString('utf8', 0, length)
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => line.trimEnd().split(':'))
  } catch {
    return []
  } finally {
    fs.closeSync(fd)
  }
}
