import { describe, expect, test } from 'vitest'
import { capabilitiesOf, DEFAULT_CAPABILITIES } from './capabilities.ts'
import { defaultSeccomp, parseSeccomp } from './seccomp.ts'

const allowed = (capabilities: string[], arch = 'x64') =>
  new Set(
    defaultSeccomp(capabilities, arch).syscalls.flatMap(({ names, action, args }) =>
      action === 'SCMP_ACT_ALLOW' && !args ? names : [],
    ),
  )

describe('the default seccomp profile', () => {
  test('lets programs live and keeps the dangerous calls away', () => {
    const calls = allowed(DEFAULT_CAPABILITIES)
    for (const name of ['read', 'execve', 'chroot', 'futex', 'statx', 'arch_prctl'])
      expect(calls).toContain(name)
    for (const name of [
      'mount',
      'unshare',
      'setns',
      'bpf',
      'reboot',
      'kexec_load',
      'keyctl',
      'add_key',
      'io_uring_setup',
      'userfaultfd',
    ])
      expect(calls).not.toContain(name)
  })

  test('follows capabilities and processor', () => {
    expect(allowed(['CAP_SYS_ADMIN'])).toContain('mount')
    expect(allowed(['CAP_SYS_TIME'])).toContain('clock_settime')
    expect(allowed([], 'arm64')).not.toContain('arch_prctl')
    expect(defaultSeccomp([], 'arm64').architectures).toEqual(['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'])
  })

  test('allows clone without new namespaces, and sends clone3 back to it', () => {
    const rules = defaultSeccomp([]).syscalls
    expect(rules.find(({ names }) => names.includes('clone'))?.args).toEqual([
      { index: 0, value: 0x7e020000, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' },
    ])
    expect(rules.find(({ names }) => names.includes('clone3'))).toMatchObject({
      action: 'SCMP_ACT_ERRNO',
      errnoRet: 38,
    })
  })

  test('reads profiles in the form of Docker', () => {
    const profile = {
      defaultAction: 'SCMP_ACT_ERRNO',
      archMap: [{ architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86'] }],
      syscalls: [
        { names: ['mount'], action: 'SCMP_ACT_ALLOW', includes: { caps: ['CAP_SYS_ADMIN'] } },
        { names: ['clone'], action: 'SCMP_ACT_ALLOW', excludes: { caps: ['CAP_SYS_ADMIN'] } },
        { name: 'read', action: 'SCMP_ACT_ALLOW' },
      ],
    }
    const names = (capabilities: string[]) =>
      parseSeccomp(JSON.stringify(profile), capabilities, 'x64').syscalls.flatMap((rule) => rule.names)
    expect(names([])).toEqual(['clone', 'read'])
    expect(names(['CAP_SYS_ADMIN'])).toEqual(['mount', 'read'])
    expect(parseSeccomp(JSON.stringify(profile), [], 'x64').architectures).toEqual([
      'SCMP_ARCH_X86_64',
      'SCMP_ARCH_X86',
    ])
    expect(() => parseSeccomp('{', [])).toThrow(/Decoding seccomp profile failed/)
    expect(() => parseSeccomp('{}', [])).toThrow(/no defaultAction/)
  })
})

describe('capabilitiesOf', () => {
  test('adds and drops by Docker’s rules', () => {
    expect(capabilitiesOf({ drop: ['ALL'], add: ['net_bind_service'] })).toEqual(['CAP_NET_BIND_SERVICE'])
    expect(capabilitiesOf({ drop: ['CAP_CHOWN'] })).not.toContain('CAP_CHOWN')
    expect(capabilitiesOf({ add: ['ALL'], drop: ['MKNOD'] })).not.toContain('CAP_MKNOD')
    expect(() => capabilitiesOf({ add: ['FLY'] })).toThrow('invalid CapAdd: unknown capability: "FLY"')
  })
})
