/** What is wrong with a HostConfig, found before anything is made. @module */
import fs from 'node:fs'
import { failed, type HostConfig, invalid } from '@kernel/contracts'

/** @throws invalid in dockerd's words */
export function checkModes(host: HostConfig): void {
  if (!/^(|host|private)$/.test(host.UTSMode ?? '')) throw invalid(`invalid UTS mode: ${host.UTSMode}`)
  if (!/^(|host|private|container:.+)$/.test(host.PidMode ?? ''))
    throw invalid(`invalid PID mode: ${host.PidMode}`)
  if (!/^(|none|host|private|shareable|container:.+)$/.test(host.IpcMode ?? ''))
    throw invalid(`invalid IPC mode: ${host.IpcMode}`)
  if (!/^(|host|private)$/.test(host.CgroupnsMode ?? ''))
    throw invalid(`invalid cgroup namespace mode: ${host.CgroupnsMode}`)
  // There is no remapping of users here, so that `host` is what everyone has.
  if (!/^(|host)$/.test(host.UsernsMode ?? '')) throw invalid(`invalid USER mode: ${host.UsernsMode}`)
}

/** @throws invalid in dockerd's words */
export function checkNetworkOptions(host: HostConfig): void {
  for (const line of host.ExtraHosts ?? [])
    if (!/^[^:=]+[:=].+$/.test(line)) throw invalid(`bad format for add-host: "${line}"`)
  for (const bindings of Object.values(host.PortBindings ?? {}))
    for (const { HostPort = '' } of bindings ?? [])
      if (!/^(\d{1,5}(-\d{1,5})?)?$/.test(HostPort))
        throw invalid(`invalid port specification: "${HostPort}"`)
}

/** @throws invalid in dockerd's words */
export function checkProcessors({ CpusetCpus = '', MemorySwappiness }: HostConfig): void {
  const swappiness = typeof MemorySwappiness === 'number' ? MemorySwappiness : -1
  if (swappiness < -1 || swappiness > 100)
    throw invalid(`Invalid value: ${swappiness}, valid memory swappiness range is 0-100`)
  if (CpusetCpus === '') return
  const online = fs.readFileSync('/sys/devices/system/cpu/online', 'utf8').trim()
  const available = cpuSet(online)
  const wanted = cpuSet(CpusetCpus)
  if (!wanted || !available) throw invalid(`Invalid value ${CpusetCpus} for cpuset cpus`)
  if ([...wanted].some((cpu) => !available.has(cpu)))
    throw invalid(`Requested CPUs are not available - requested ${CpusetCpus}, available: ${online}`)
}

/** What would be accepted and change nothing is refused. @throws failed or invalid in dockerd's words */
export function checkUnavailable(host: HostConfig): void {
  const [request] = (host.DeviceRequests as DeviceRequest[] | null | undefined) ?? []
  if (request) {
    const wanted = `[${(request.Capabilities ?? []).map((all) => `[${all.join(' ')}]`).join(' ')}]`
    throw failed(
      `could not select device driver ${JSON.stringify(request.Driver ?? '')} with capabilities: ${wanted}`,
    )
  }
  if (Object.keys((host.StorageOpt as object | null | undefined) ?? {}).length > 0)
    throw invalid("--storage-opt is supported only for overlay over xfs with 'pquota' mount option")
  const driver = host.VolumeDriver
  if (typeof driver === 'string' && driver !== '' && driver !== 'local')
    throw invalid(`error looking up volume plugin ${driver}: plugin ${JSON.stringify(driver)} not found`)
  if (typeof host.Isolation === 'string' && !/^(|default)$/.test(host.Isolation))
    throw invalid(`invalid isolation: ${JSON.stringify(host.Isolation)} is not supported on linux`)
}

interface DeviceRequest {
  Driver?: string
  Capabilities?: string[][]
}

/** `0-3,7`, the kernel's list format; undefined where it is none. */
function cpuSet(text: string): Set<number> | undefined {
  const cpus = new Set<number>()
  for (const part of text.split(',')) {
    const [, from, to = from] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part.trim()) ?? []
    if (from === undefined || Number(to) < Number(from)) return undefined
    for (let cpu = Number(from); cpu <= Number(to); cpu++) cpus.add(cpu)
  }
  return cpus
}
