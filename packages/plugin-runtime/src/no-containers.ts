/** What a machine that can't have containers answers: empty lists, and the reason for all else. @module */
import {
  type BaseImage,
  type Containers,
  type ImageBuilder,
  type Images,
  type Networks,
  notSupported,
  type Volumes,
} from '@kernel/contracts'

export interface NoContainers {
  images: Images
  builder: ImageBuilder
  baseImage: BaseImage
  containers: Containers
  networks: Networks
  volumes: Volumes
}

/** @param reason what the probe of the host found */
export function noContainers(reason: string): NoContainers {
  return {
    images: refusing<Images>(reason, ['list']),
    builder: refusing<ImageBuilder>(reason),
    baseImage: refusing<BaseImage>(reason),
    containers: refusing<Containers>(reason, ['list']),
    networks: refusing<Networks>(reason, ['list']),
    volumes: refusing<Volumes>(reason, ['list']),
  }
}

/** Every method rejects with not-supported, but for those that answer with an empty list. */
function refusing<T extends object>(reason: string, lists: (keyof T)[] = []): T {
  const refuse = () => Promise.reject(notSupported(`this machine can't run containers: ${reason}`, hint))
  return new Proxy({} as T, {
    get: (_target, name) => {
      if (name === 'then' || typeof name === 'symbol') return undefined // it is no promise
      return lists.includes(name as keyof T) ? async () => [] : refuse
    },
  })
}

const hint = { hint: '`kernel doctor` says what containers need.' }
