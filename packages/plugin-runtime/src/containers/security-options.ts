/** `--security-opt`: what is asked of the kernel's guards. @module */
import { type HostConfig, invalid } from '@kernel/contracts'

export interface SecurityOptions {
  noNewPrivileges: boolean
  /** `default`, `unconfined`, or the text of a profile. */
  seccomp: string
  apparmor?: string
  unconfinedPaths: boolean
}

/** @throws invalid in dockerd's words */
export function securityOptionsOf(options: HostConfig['SecurityOpt']): SecurityOptions {
  const result: SecurityOptions = { noNewPrivileges: false, seccomp: 'default', unconfinedPaths: false }
  for (const option of options ?? []) {
    if (option === 'no-new-privileges') {
      result.noNewPrivileges = true
      continue
    }
    const [, name, value] = /^([^=:]+)[=:](.*)$/s.exec(option) ?? []
    if (name === undefined || value === undefined) throw invalid(`invalid --security-opt 1: "${option}"`)
    if (name === 'seccomp') result.seccomp = value === 'builtin' ? 'default' : value
    else if (name === 'no-new-privileges') {
      if (!/^(true|false|0|1)$/.test(value)) throw invalid(`invalid --security-opt 2: "${option}"`)
      result.noNewPrivileges = value === 'true' || value === '1'
    } else if (name === 'apparmor') result.apparmor = value
    else if (name === 'systempaths' && value === 'unconfined') result.unconfinedPaths = true
    else if (name !== 'label' && name !== 'writable-cgroups')
      throw invalid(`invalid --security-opt 2: "${option}"`)
  }
  return result
}
