/** `--link` on the default bridge: names of other containers, which have to be there. @module */
import { failed, invalid } from '@kernel/contracts'
import { type ContainerRecord, isRunning } from './record.ts'
import type { Registry } from './registry.ts'

function linksOf({ hostConfig }: ContainerRecord): Array<{ ref: string; alias: string }> {
  return ((hostConfig.Links as string[] | null | undefined) ?? []).map((link) => {
    const [ref = '', alias = ref, ...rest] = link.replace(/^\//, '').split(':')
    if (ref === '' || alias === '' || rest.length > 0) throw invalid(`bad format for links: ${link}`)
    return { ref, alias: alias.slice(alias.lastIndexOf('/') + 1) }
  })
}

/** For the creation. @throws invalid where a container is not there */
export function checkLinks(registry: Registry, record: ContainerRecord): void {
  for (const { ref } of linksOf(record)) {
    try {
      registry.resolve(ref)
    } catch (error) {
      throw invalid(`could not get container for ${ref}: ${(error as Error).message}`, { cause: error })
    }
  }
}

/** For the start: an address is needed. @throws failed where a container does not run */
export function requireLinked(registry: Registry, record: ContainerRecord): void {
  for (const { ref, alias } of linksOf(record)) {
    const target = registry.resolve(ref)
    if (!isRunning(target))
      throw failed(`Cannot link to a non running container: /${target.name} AS /${record.name}/${alias}`)
  }
}
