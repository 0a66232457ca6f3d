import { spawn } from 'node:child_process'
import fs from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { bindUdp, listenTcp } from './bound-sockets.ts'
import { createNetns, deleteNetns, withNetns } from './namespaces.ts'
import { Netlink } from './netlink.ts'

const isRoot = process.getuid?.() === 0 && process.platform === 'linux'
if (!isRoot) console.log('bound-sockets.test: skipped, network namespaces need root on Linux')

describe.runIf(isRoot)('sockets bound in a network namespace', () => {
  let dir: string
  let netns: string
  beforeEach(() => {
    dir = fs.mkdtempSync(join(tmpdir(), 'sys-bound-'))
    netns = join(dir, 'ns')
    createNetns(netns)
    const netlink = new Netlink(netns)
    netlink.setUp('lo')
    netlink.close()
  })
  afterEach(() => {
    deleteNetns(netns)
    fs.rmSync(dir, { recursive: true })
  })

  it.each(['127.0.0.11', '::1'])('listen at %s for the programs inside', async (address) => {
    const server = net.createServer((socket) => socket.end('from the main loop'))
    server.listen({ fd: listenTcp({ netns, address, port: 53 }) })
    const program = `require('node:net').connect(53, '${address}').pipe(process.stdout)`
    try {
      const child = withNetns(netns, () =>
        spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] }),
      )
      let output = ''
      for await (const text of child.stdout) output += text
      expect(output).toBe('from the main loop')
    } finally {
      server.close()
    }
  })

  it('fail with the address, and leave no descriptor open', () => {
    const before = fs.readdirSync('/proc/self/fd').length
    const first = listenTcp({ netns, address: '127.0.0.1', port: 80 })
    expect(() => listenTcp({ netns, address: '127.0.0.1', port: 80 })).toThrow(
      /bind 127\.0\.0\.1:80.*EADDRINUSE/,
    )
    expect(() => bindUdp({ netns, address: '10.1.2.3', port: 53 })).toThrow(/EADDRNOTAVAIL/)
    fs.closeSync(first)
    expect(fs.readdirSync('/proc/self/fd').length).toBe(before)
  })
})
