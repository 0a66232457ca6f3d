/** For tests: a process that serves on the socket that it was started with, until it is killed. @module */
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { HttpServer } from '@kernel/contracts'
import { setupPlugin } from '@kernel/kernel/testing'
import { server } from '../http-plugin.ts'

const dataDir = await mkdtemp(join(tmpdir(), 'kernel-passed-'))
const plugin = await setupPlugin(server, { config: { dataDir, hosts: ['fd://api'] } })
const addresses = await plugin.provided(HttpServer).addresses()
const inherited = spawnSync('test', ['-e', '/proc/self/fd/3']).status === 0
process.stdout.write(`${JSON.stringify({ addresses, inherited })}\n`)
process.once('SIGTERM', async () => {
  await plugin.stop()
  await rm(dataDir, { recursive: true })
  process.exit(0)
})
