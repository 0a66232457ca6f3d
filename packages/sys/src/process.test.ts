import { execFileSync, spawn } from 'node:child_process'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { check, close, foreign } from './libc.ts'
import { sdNotify } from './notify.ts'
import { pidfdOpen, pidfdSendSignal, processEnd } from './process.ts'
import { getRlimit, isRlimitName } from './rlimits.ts'
import { AF_UNIX, unixAddress } from './socket-address.ts'
import { syncFilesystem } from './sync.ts'

const isLinux = process.platform === 'linux'
if (!isLinux) console.log('process.test: skipped, pidfds are of Linux')

describe.runIf(isLinux)('pidfds', () => {
  it('signal a process and tell its end', async () => {
    const child = spawn('sleep', ['1000'], { stdio: 'ignore' })
    const fd = pidfdOpen(child.pid as number)
    const exit = new Promise((resolve) => child.once('exit', (_, signal) => resolve(signal)))
    const end = processEnd(child.pid as number)
    pidfdSendSignal(fd, 0)
    pidfdSendSignal(fd, 'SIGTERM')
    await end
    expect(await exit).toBe('SIGTERM')
    expect(() => pidfdSendSignal(fd, 'SIGTERM')).toThrow(/ESRCH/)
    close(fd)
    await processEnd(child.pid as number)
    expect(() => pidfdOpen(child.pid as number)).toThrow(/ESRCH/)
  })

  it('tell an end to a program in which nothing else happens', () => {
    const program = `
      import { spawn } from 'node:child_process'
      import { processEnd } from ${JSON.stringify(new URL('./process.ts', import.meta.url).href)}
      const child = spawn('sh', ['-c', 'sleep 1000 >/dev/null 2>&1 & echo $!'], { stdio: ['ignore', 'pipe', 'ignore'] })
      let pid = ''
      for await (const text of child.stdout) pid += text
      const end = processEnd(Number(pid))
      process.kill(Number(pid))
      await end
      console.log('ended')`
    const options = { encoding: 'utf8', timeout: 20_000 } as const
    const output = execFileSync(process.execPath, ['--input-type=module', '-e', program], options)
    expect(output.trim()).toBe('ended')
  })

  it('stop waiting when asked', async () => {
    const giveUp = new AbortController()
    const before = fs.readdirSync('/proc/self/fd').length
    const waiting = processEnd(process.pid, { signal: giveUp.signal })
    giveUp.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
    await expect(processEnd(process.pid, { signal: giveUp.signal })).rejects.toThrow('enough')
    expect(fs.readdirSync('/proc/self/fd').length).toBe(before)
  })
})

describe.runIf(isLinux)('setChildSubreaper', () => {
  it('gives orphans to the process that asked for them', () => {
    const program = `
      import { execFileSync } from 'node:child_process'
      import fs from 'node:fs'
      import { setChildSubreaper } from ${JSON.stringify(new URL('./process.ts', import.meta.url).href)}
      setChildSubreaper(true)
      const pid = Number(execFileSync('sh', ['-c', 'sleep 1000 >/dev/null 2>&1 & echo $!'], { encoding: 'utf8' }))
      const parent = /PPid:\\t(\\d+)/.exec(fs.readFileSync('/proc/' + pid + '/status', 'utf8'))[1]
      process.kill(pid, 'SIGKILL')
      console.log(Number(parent) === process.pid)`
    const output = execFileSync(process.execPath, ['--input-type=module', '-e', program], {
      encoding: 'utf8',
    })
    expect(output.trim()).toBe('true')
  })
})

describe.runIf(isLinux)('getRlimit', () => {
  it('agrees with /proc', () => {
    const line = /Max open files +(\d+) +(\d+)/.exec(fs.readFileSync('/proc/self/limits', 'utf8'))
    expect(getRlimit('RLIMIT_NOFILE')).toEqual({ soft: Number(line?.[1]), hard: Number(line?.[2]) })
    expect(getRlimit('RLIMIT_CPU').hard).toBe(Number.POSITIVE_INFINITY)
    expect(isRlimitName('RLIMIT_NOFILE')).toBe(true)
    expect(isRlimitName('toString')).toBe(false)
    expect(() => getRlimit('RLIMIT_X' as 'RLIMIT_AS')).toThrow(/EINVAL/)
  })
})

describe.runIf(isLinux)('sdNotify', () => {
  const socket = foreign('socket', 'int', ['int', 'int', 'int'])
  const bind = foreign('bind', 'int', ['int', 'void *', 'uint'])
  const recv = foreign('recv', 'long', ['int', 'void *', 'size_t', 'int'])

  it.each(['a file', 'an abstract name'])('sends the state to %s', (kind) => {
    const dir = fs.mkdtempSync(join(tmpdir(), 'sys-notify-'))
    const name = kind === 'a file' ? join(dir, 'notify') : `@${dir}`
    const fd = check(socket(AF_UNIX, 2 | 0o2004000, 0), 'socket')
    try {
      const address = unixAddress(name)
      check(bind(fd, address.bytes, address.length), 'bind')
      expect(sdNotify('READY=1\nSTATUS=up', name)).toBe(true)
      const buffer = Buffer.alloc(100)
      expect(buffer.toString('utf8', 0, recv(fd, buffer, 100, 0))).toBe('READY=1\nSTATUS=up')
    } finally {
      close(fd)
      fs.rmSync(dir, { recursive: true })
    }
  })

  it('does nothing where nobody asked, and says who does not answer', () => {
    expect(sdNotify('READY=1', '')).toBe(false)
    expect(() => sdNotify('READY=1', '/nowhere/notify')).toThrow(/sd_notify \/nowhere\/notify.*ENOENT/)
    expect(() => sdNotify('READY=1', 'x'.repeat(200))).toThrow(/ENAMETOOLONG/)
  })
})

describe.runIf(isLinux)('syncFilesystem', () => {
  it('finishes, and names a path that is missing', async () => {
    await syncFilesystem(import.meta.dirname)
    await expect(syncFilesystem('/nowhere')).rejects.toThrow(/nowhere/)
  })
})
