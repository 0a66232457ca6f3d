import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { judgeClock } from './clock.ts'
import { inodeCheck, spaceCheck } from './disk.ts'
import { doctorChecks } from './doctor.ts'
import { droppingChains } from './firewall-check.ts'
import { parseSocketTable, portHolders } from './port-holders.ts'

let dataDir: string
beforeEach(() => {
  dataDir = fs.mkdtempSync(path.join(os.tmpdir(), 'doctor-'))
})
afterEach(() => fs.rmSync(dataDir, { recursive: true, force: true }))

test('every line has a name and a finding, and what is not well has an advice', async () => {
  const server = net.createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as net.AddressInfo
  try {
    const ports = [{ port, purpose: 'HTTP' }]
    const checks = await doctorChecks({ dataDir, ports })
    for (const { name, status, found, advice } of checks) {
      expect(name && found).toBeTruthy()
      expect(advice === '').toBe(status === 'ok')
    }
    const names = checks.map((check) => check.name)
    for (const name of [
      'OCI runtime',
      'conmon',
      'overlayfs',
      'cgroups',
      'nftables',
      'git',
      'disk space',
      'clock',
    ]) {
      expect(names).toContain(name)
    }
    expect(new Set(names).size).toBe(names.length)
    const taken = checks.find((check) => check.name === `port ${port}`)
    expect(taken).toMatchObject({ status: 'fail', found: expect.stringContaining(`(pid ${process.pid})`) })
    const own = await doctorChecks({ dataDir, ports, ownPids: [process.pid] })
    expect(own.find((check) => check.name === `port ${port}`)?.status).toBe('ok')
    expect(fs.readdirSync(path.join(dataDir, 'tmp'))).toEqual([])
  } finally {
    server.close()
  }
})

describe('ports', () => {
  test('of /proc/net/tcp', () => {
    const text = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0
   1: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 20 4 30 10 -1
`
    expect(parseSocketTable(text)).toEqual([
      { port: 8080, state: '0A', inode: '4711' },
      { port: 8080, state: '01', inode: '4712' },
    ])
    expect(parseSocketTable('')).toEqual([])
  })

  test('that no one has are not listed', async () => {
    const server = net.createServer()
    await new Promise<void>((resolve) => server.listen(0, '::', resolve))
    const { port } = server.address() as net.AddressInfo
    expect(portHolders([port])).toMatchObject([{ port, process: { pid: process.pid } }])
    await new Promise((resolve) => server.close(resolve))
    expect(portHolders([port])).toEqual([])
  })
})

test('chains of others that drop what is forwarded are named, ours and IPv6 are not', () => {
  const listing = `table ip filter {
	chain INPUT {
		type filter hook input priority filter; policy drop;
	}
	chain FORWARD {
		type filter hook forward priority filter; policy drop;
	}
}
table ip6 filter {
	chain FORWARD {
		type filter hook forward priority filter; policy drop;
	}
}
table ip kernel_abc {
	chain forward {
		type filter hook forward priority filter; policy drop;
	}
}
table inet fw {
	chain f {
		type filter hook forward priority filter; policy accept;
	}
}
`
  expect(droppingChains(listing)).toEqual(['ip filter FORWARD'])
})

test('the clock is judged by files from the future, then by NTP', () => {
  const now = Date.parse('2026-01-01T00:00:00Z')
  expect(judgeClock(now, now - 1000, true).status).toBe('ok')
  expect(judgeClock(now, now - 1000, undefined).status).toBe('ok')
  expect(judgeClock(now, now - 1000, false).status).toBe('warn')
  expect(judgeClock(now, now + 90 * 86_400_000, true)).toMatchObject({
    status: 'fail',
    found: '2026-01-01T00:00:00Z, but files were written on 2026-04-01',
  })
})

test('disk space and inodes have two thresholds', () => {
  const GIB = 2 ** 30
  const space = (free: number) => spaceCheck('/', free * GIB, 100 * GIB).status
  expect([space(0.5), space(4), space(6)]).toEqual(['fail', 'warn', 'ok'])
  expect(spaceCheck('/', 40 * GIB, 1000 * GIB).status).toBe('warn')
  const inodes = (free: number) => inodeCheck('/', free, 1_000_000).status
  expect([inodes(9000), inodes(50_000), inodes(500_000)]).toEqual(['fail', 'warn', 'ok'])
  expect(inodeCheck('/', 0, 0).status).toBe('ok')
})
