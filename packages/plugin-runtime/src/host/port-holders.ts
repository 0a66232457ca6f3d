import fs from 'node:fs'

/** A socket that listens on a port of this machine. */
export interface PortHolder {
  protocol: 'tcp' | 'udp'
  port: number
  /** Undefined where the process cannot be seen (other user, no root). */
  process?: { pid: number; name: string }
}

const TCP_LISTEN = '0A'

/** Who listens on these TCP ports, from /proc/net. */
export function portHolders(ports: number[]): PortHolder[] {
  const wanted = new Set(ports)
  const inodes = new Map<string, number>()
  for (const file of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const { port, inode, state } of parseSocketTable(read(file))) {
      if (state === TCP_LISTEN && wanted.has(port)) inodes.set(inode, port)
    }
  }
  const holders = new Map<number, PortHolder>()
  for (const port of inodes.values()) holders.set(port, { protocol: 'tcp', port })
  if (inodes.size > 0) {
    for (const [inode, process] of owners(new Set(inodes.keys()))) {
      const port = inodes.get(inode)
      if (port !== undefined) holders.set(port, { protocol: 'tcp', port, process })
    }
  }
  return [...holders.values()].sort((a, b) => a.port - b.port)
}

/** Lines of /proc/net/tcp: `sl local_address rem_address st ... inode`, see proc(5). */
export function parseSocketTable(text: string): Array<{ port: number; state: string; inode: string }> {
  return text
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields.length > 9)
    .map((fields) => ({
      port: Number.parseInt(fields[1]?.split(':').at(-1) ?? '', 16),
      state: fields[3] ?? '',
      inode: fields[9] ?? '',
    }))
}

/** Walks the descriptors of all processes that may be seen, until every socket has its owner. */
function owners(inodes: Set<string>): Map<string, { pid: number; name: string }> {
  const found = new Map<string, { pid: number; name: string }>()
  for (const pid of list('/proc').filter((name) => /^\d+$/.test(name))) {
    if (found.size === inodes.size) break
    for (const fd of list(`/proc/${pid}/fd`)) {
      const inode = /^socket:\[(\d+)\]$/.exec(link(`/proc/${pid}/fd/${fd}`))?.[1]
      if (inode === undefined || !inodes.has(inode) || found.has(inode)) continue
      found.set(inode, { pid: Number(pid), name: read(`/proc/${pid}/comm`).trim() || 'unknown' })
    }
  }
  return found
}

// Processes come and go while they are looked at, and those of others cannot be read.
function read(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

function list(dir: string): string[] {
  try {
    return fs.readdirSync(dir)
  } catch {
    return []
  }
}

function link(file: string): string {
  try {
    return fs.readlinkSync(file)
  } catch {
    return ''
  }
}
