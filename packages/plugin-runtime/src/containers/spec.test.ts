import fs from 'node:fs'
import os from 'node:os'
import { join } from 'node:path'
import type { ContainerConfig, HostConfig } from '@kernel/contracts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DEFAULT_CAPABILITIES } from './capabilities.ts'
import { type SpecInput, specOf } from './spec.ts'

describe('specOf', () => {
  let rootfs: string
  beforeAll(() => {
    rootfs = fs.mkdtempSync(join(os.tmpdir(), 'spec-'))
    fs.mkdirSync(join(rootfs, 'etc'))
    fs.writeFileSync(
      join(rootfs, 'etc/passwd'),
      'root:x:0:0::/root:/bin/sh\nweb:x:1000:1001::/home/web:/bin/sh\n',
    )
    fs.writeFileSync(join(rootfs, 'etc/group'), 'web:x:1001:\nlogs:x:2000:other,web\n')
  })
  afterAll(() => fs.rmSync(rootfs, { recursive: true }))

  const spec = (
    config: Partial<ContainerConfig> = {},
    hostConfig: HostConfig = {},
    change: Partial<SpecInput> = {},
  ) =>
    specOf({
      id: 'c'.repeat(64),
      argv: ['sh'],
      config: { Image: 'x', ...config },
      hostConfig,
      rootfs,
      mounts: [],
      dir: '/data/c',
      files: ['hostname', 'hosts'],
      hostname: 'box',
      netns: '/run/netns/c',
      joined: {},
      cgroupParent: '/kernel-1',
      cgroup: 'v1',
      ...change,
    })

  test('gives what Docker gives by default', () => {
    const { process, linux, root, hostname, mounts } = spec()
    expect(process.env).toEqual([
      'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      'HOSTNAME=box',
      'HOME=/root',
    ])
    expect(process).toMatchObject({
      cwd: '/',
      terminal: false,
      user: { uid: 0, gid: 0 },
      noNewPrivileges: false,
    })
    expect(process.capabilities.effective.toSorted()).toEqual(DEFAULT_CAPABILITIES.toSorted())
    expect(linux.namespaces.map(({ type }) => type).toSorted()).toEqual([
      'ipc',
      'mount',
      'network',
      'pid',
      'uts',
    ])
    expect(linux.cgroupsPath).toBe(`/kernel-1/${'c'.repeat(64)}`)
    expect(linux.maskedPaths).toContain('/proc/kcore')
    expect(linux.readonlyPaths).toContain('/proc/sys')
    expect(linux.seccomp?.defaultAction).toBe('SCMP_ACT_ERRNO')
    expect(linux.resources.devices?.[0]).toEqual({ allow: false, access: 'rwm' })
    expect(root.readonly).toBe(false)
    expect(hostname).toBe('box')
    expect(mounts.find(({ destination }) => destination === '/sys')?.options).toContain('ro')
    expect(mounts.find(({ destination }) => destination === '/dev/shm')?.options).toContain('size=67108864')
    expect(mounts.find(({ destination }) => destination === '/etc/hosts')?.source).toBe('/data/c/hosts')
  })

  test('joins, shares and leaves out namespaces', () => {
    const types = (host: HostConfig, change: Partial<SpecInput> = {}) =>
      spec({}, host, change).linux.namespaces.map(({ type, path }) => (path ? `${type}:${path}` : type))
    expect(types({ PidMode: 'host', IpcMode: 'host', UTSMode: 'host' }, { netns: undefined })).toEqual([
      'mount',
    ])
    expect(types({}, { joined: { pid: '/proc/7/ns/pid' } })).toContain('pid:/proc/7/ns/pid')
    expect(types({}, { cgroup: 'v2' })).toContain('cgroup')
    expect(spec({}, { UTSMode: 'host' }).hostname).toBeUndefined()
  })

  test('lets a privileged one do nearly everything', () => {
    const { process, linux, mounts } = spec({}, { Privileged: true })
    expect(process.capabilities.effective).toContain('CAP_SYS_ADMIN')
    expect(linux.seccomp).toBeUndefined()
    expect(linux.maskedPaths).toEqual([])
    expect(linux.resources.devices).toEqual([{ allow: true, access: 'rwm' }])
    expect(mounts.find(({ destination }) => destination === '/sys')?.options).toContain('rw')
  })

  test('runs as a user of the image, with its groups', () => {
    const { process } = spec({
      User: 'web',
      Env: ['PATH=/bin', 'HOME=/x', 'A=1'],
      WorkingDir: '/srv',
      Tty: true,
    })
    expect(process.user).toEqual({ uid: 1000, gid: 1001, additionalGids: [1001, 2000] })
    expect(process.capabilities.effective).toEqual([])
    expect(process.capabilities.bounding.length).toBeGreaterThan(0)
    expect(process.env).toEqual(['PATH=/bin', 'HOSTNAME=box', 'TERM=xterm', 'HOME=/x', 'A=1'])
    expect(process.cwd).toBe('/srv')
  })

  test.for([
    ['1234', { uid: 1234, gid: 0, additionalGids: [0] }],
    ['1234:5', { uid: 1234, gid: 5, additionalGids: [5] }],
    ['web:logs', { uid: 1000, gid: 2000, additionalGids: [2000] }],
    ['1000', { uid: 1000, gid: 1001, additionalGids: [1001, 2000] }],
  ] as const)('understands the user %s', ([User, user]) => {
    expect(spec({ User }).process.user).toEqual(user)
  })

  test('refuses users that the image does not know', () => {
    expect(() => spec({ User: 'nobody-here' })).toThrow(
      'unable to find user nobody-here: no matching entries in passwd file',
    )
    expect(() => spec({ User: 'web:crowd' })).toThrow(
      'unable to find group crowd: no matching entries in group file',
    )
  })

  test('never follows a link out of the image to find a user', () => {
    const evil = fs.mkdtempSync(join(os.tmpdir(), 'spec-'))
    fs.mkdirSync(join(evil, 'etc'))
    fs.symlinkSync('/../../../../../../etc/passwd', join(evil, 'etc/passwd'))
    try {
      expect(() => spec({ User: 'daemon' }, {}, { rootfs: evil })).toThrow(/unable to find user daemon/)
    } finally {
      fs.rmSync(evil, { recursive: true })
    }
  })

  test('hands annotations and rarer limits on', () => {
    const { annotations, linux, process } = spec(
      {},
      {
        Annotations: { 'org.example.a': '1' },
        MemorySwappiness: 0,
        CpuRealtimePeriod: 1000,
        CpuRealtimeRuntime: 500,
        BlkioWeight: 300,
        SecurityOpt: ['apparmor=unconfined'],
      },
    )
    expect(annotations).toEqual({ 'org.example.a': '1' })
    expect(linux.resources).toMatchObject({
      memory: { swappiness: 0 },
      cpu: { realtimePeriod: 1000, realtimeRuntime: 500 },
      blockIO: { weight: 300 },
    })
    expect(process.apparmorProfile).toBeUndefined()
    expect(spec().annotations).toBeUndefined()
  })

  test('turns limits into the OCI form', () => {
    const { linux } = spec(
      {},
      { Memory: 64 << 20, NanoCpus: 1.5e9, PidsLimit: 100, CpuShares: 512, CpusetCpus: '0' },
    )
    expect(linux.resources).toMatchObject({
      memory: { limit: 64 << 20 },
      cpu: { quota: 150_000, period: 100_000, shares: 512, cpus: '0' },
      pids: { limit: 100 },
    })
  })

  test('puts mounts in order and in the place of defaults', () => {
    const point = (Destination: string, RW = true) => ({
      ...{ Type: 'bind' as const, Source: '/src', Destination, Mode: '', RW, Propagation: 'rprivate' },
    })
    const { mounts } = spec(
      {},
      {},
      { mounts: [point('/a/b/c'), point('/a', false), point('/dev/shm'), point('/etc/hosts')] },
    )
    const paths = mounts.map(({ destination }) => destination)
    expect(paths.indexOf('/a')).toBeLessThan(paths.indexOf('/a/b/c'))
    expect(paths.filter((path) => path === '/dev/shm' || path === '/etc/hosts')).toHaveLength(2)
    expect(mounts.find(({ destination }) => destination === '/a')?.options).toEqual([
      'rbind',
      'rprivate',
      'ro',
    ])
  })

  test('takes the security options', () => {
    expect(spec({}, { SecurityOpt: ['no-new-privileges'] }).process.noNewPrivileges).toBe(true)
    expect(spec({}, { SecurityOpt: ['seccomp=unconfined'] }).linux.seccomp).toBeUndefined()
    const own =
      '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir"],"action":"SCMP_ACT_ERRNO"}]}'
    expect(spec({}, { SecurityOpt: [`seccomp=${own}`] }).linux.seccomp?.syscalls).toEqual([
      { names: ['mkdir'], action: 'SCMP_ACT_ERRNO' },
    ])
    expect(() => spec({}, { SecurityOpt: ['nonsense=1'] })).toThrow('invalid --security-opt 2: "nonsense=1"')
  })
})
