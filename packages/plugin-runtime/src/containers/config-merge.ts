/** A container's configuration: what was asked for, over what the image brings. @module */
import type { ContainerConfig, HealthcheckConfig, ImageRunConfig } from '@kernel/contracts'
import { invalid } from '@kernel/contracts'

/**
 * By Docker's rules: entrypoint and command are taken together from the image, or the command only where no
 * entrypoint was given; maps are joined; a variable of the same name wins.
 */
export function mergeImageConfig(asked: ContainerConfig, image: ImageRunConfig = {}): ContainerConfig {
  const merged: ContainerConfig = { ...asked }
  const empty = (list: string[] | undefined | null) => !list || list.length === 0
  if (asked.Entrypoint === undefined || asked.Entrypoint === null) {
    if (empty(asked.Cmd)) merged.Cmd = image.Cmd
    merged.Entrypoint = image.Entrypoint
  } else if (asked.Entrypoint.length === 0 || (asked.Entrypoint.length === 1 && asked.Entrypoint[0] === '')) {
    merged.Entrypoint = undefined // `--entrypoint ""`
  }
  const names = new Set((asked.Env ?? []).map((entry) => entry.split('=', 1)[0]))
  merged.Env = [
    ...(image.Env ?? []).filter((entry) => !names.has(entry.split('=', 1)[0])),
    ...(asked.Env ?? []),
  ]
  merged.User = asked.User || image.User || ''
  merged.WorkingDir = asked.WorkingDir || image.WorkingDir || ''
  merged.StopSignal = asked.StopSignal || image.StopSignal
  merged.Labels = { ...image.Labels, ...asked.Labels }
  merged.ExposedPorts = joined(image.ExposedPorts, asked.ExposedPorts)
  merged.Volumes = joined(image.Volumes, asked.Volumes)
  merged.Healthcheck = mergeHealthcheck(asked.Healthcheck, image.Healthcheck)
  merged.OnBuild = undefined
  return merged
}

function joined<T>(first: Record<string, T> | undefined, second: Record<string, T> | undefined) {
  const all = { ...first, ...second }
  return Object.keys(all).length > 0 ? all : undefined
}

/** A test that is given alone keeps the image's intervals, and the other way round. */
function mergeHealthcheck(
  asked: HealthcheckConfig | undefined | null,
  image: HealthcheckConfig | undefined,
): HealthcheckConfig | undefined {
  if (!asked) return image
  if (!image) return asked
  return {
    Test: asked.Test?.length ? asked.Test : image.Test,
    Interval: asked.Interval || image.Interval,
    Timeout: asked.Timeout || image.Timeout,
    StartPeriod: asked.StartPeriod || image.StartPeriod,
    StartInterval: asked.StartInterval || image.StartInterval,
    Retries: asked.Retries || image.Retries,
  }
}

/** @returns the whole argv; @throws invalid `no command specified` */
export function argvOf(config: ContainerConfig): [string, ...string[]] {
  const [path, ...args] = [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])]
  if (path === undefined || path === '') throw invalid('no command specified')
  return [path, ...args]
}

/** @throws invalid in dockerd's words */
export function checkConfig(config: ContainerConfig): void {
  if (config.WorkingDir && !config.WorkingDir.startsWith('/'))
    throw invalid(`the working directory '${config.WorkingDir}' is invalid, it needs to be an absolute path`)
  for (const entry of config.Env ?? [])
    if (entry === '' || entry.startsWith('=') || entry.includes('\0'))
      throw invalid(`invalid environment variable: ${entry}`)
  const { Hostname = '', Healthcheck } = config
  if (Hostname !== '' && !/^[a-zA-Z0-9]([a-zA-Z0-9_.-]{0,62}[a-zA-Z0-9])?$/.test(Hostname))
    throw invalid(`invalid hostname format: ${Hostname}`)
  for (const field of ['Interval', 'Timeout', 'StartPeriod', 'StartInterval'] as const) {
    const value = Healthcheck?.[field] ?? 0
    if (value !== 0 && value < 1_000_000) throw invalid(`${field} in Healthcheck cannot be less than 1ms`)
  }
  if ((Healthcheck?.Retries ?? 0) < 0) throw invalid('Retries in Healthcheck cannot be negative')
}
