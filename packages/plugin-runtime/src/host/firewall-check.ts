import fs from 'node:fs'
import { type Check, fail, ok, warn } from './check.ts'
import { probeNft } from './probe.ts'
import { findProgram, programVersion, runProgram } from './programs.ts'

/** nftables, and whether another firewall on this machine stands in the way of containers. */
export async function nftablesCheck(real: boolean): Promise<Check> {
  const file = findProgram('nft')
  if (!file) return fail('nftables', 'not installed', 'apt install nftables')
  const version = await programVersion(file)
  if (!real) return warn('nftables', `${version}, not tried`, 'Run as root to try it')
  const failure = await probeNft()
  if (failure !== undefined) {
    return fail(
      'nftables',
      failure,
      'modprobe nf_tables nft_nat nft_fib_ipv4; in a container, give it NET_ADMIN',
    )
  }
  const { stdout } = await runProgram(file, ['list', 'chains'])
  const droppers = droppingChains(stdout)
  if (droppers.length === 0) return ok('nftables', version)
  return warn(
    'nftables',
    `${version}; packets that are forwarded are dropped by ${droppers.join(', ')}`,
    'Let our bridges through: iptables -I FORWARD -i kb+ -j ACCEPT; iptables -I FORWARD -o kb+ -j ACCEPT',
  )
}

/** Chains of others that drop what is forwarded, in the output of `nft list chains`, as `table chain`. */
export function droppingChains(listing: string): string[] {
  const found: string[] = []
  let table = ''
  let chain = ''
  for (const line of listing.split('\n')) {
    table = /^table (\S+ \S+) \{/.exec(line)?.[1] ?? table
    chain = /^\s+chain (\S+) \{/.exec(line)?.[1] ?? chain
    const forward = /hook forward .*policy drop/.test(line)
    if (forward && !table.startsWith('ip6 ') && !table.includes(' kernel_')) found.push(`${table} ${chain}`)
  }
  return found
}

/** Docker and others turn it on too; we do with the first network. */
export function forwardingCheck(root: boolean): Check {
  const file = '/proc/sys/net/ipv4/ip_forward'
  try {
    const on = fs.readFileSync(file, 'latin1').trim() === '1'
    if (on) return ok('ip forwarding', 'on')
    fs.accessSync(file, fs.constants.W_OK)
    if (root && !mountedReadonly()) return ok('ip forwarding', 'off; the daemon turns it on')
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT')
      return fail('ip forwarding', 'no IPv4 here', 'Use a kernel with IPv4')
  }
  return warn('ip forwarding', 'off, and cannot be turned on from here', 'sysctl -w net.ipv4.ip_forward=1')
}

/** In an outer container /proc/sys is a mount of its own that is read-only, whatever its files' modes say. */
function mountedReadonly(): boolean {
  const mounts = fs.readFileSync('/proc/self/mountinfo', 'utf8').split('\n')
  return mounts.some((line) => {
    const [, , , , target, options] = line.split(' ')
    return target === '/proc/sys' && (options ?? '').split(',').includes('ro')
  })
}
