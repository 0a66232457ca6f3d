/** What the container services answer on a machine that can't have containers: nothing is there, and why. @module */
import {
  type BaseImage,
  type Containers,
  type ImageBuilder,
  type Images,
  type Networks,
  notSupported,
  type Volumes,
} from '@kernel/contracts'

/** The services with these answers; everything else is refused with the reason. */
function refusing<T extends object>(reason: string, answers: Partial<T>): T {
  const refuse = async () => {
    throw notSupported(`This machine can not have containers: ${reason}`, {
      hint: '`kernel doctor` says what to do; apps run as processes meanwhile',
    })
  }
  return new Proxy(answers, {
    get: (target, name) => {
      if (name in target) return target[name as keyof typeof target]
      // Not a promise, and no answer to whoever looks at it as an object.
      return typeof name === 'symbol' || name === 'then' || name === 'toJSON' ? undefined : refuse
    },
  }) as T
}

export interface ContainerServices {
  images: Images
  builder: ImageBuilder
  baseImage: BaseImage
  containers: Containers
  networks: Networks
  volumes: Volumes
}

export function noContainers(reason: string): ContainerServices {
  const none = { list: async () => [] }
  return {
    images: refusing<Images>(reason, none),
    builder: refusing<ImageBuilder>(reason, {}),
    baseImage: refusing<BaseImage>(reason, {}),
    containers: refusing<Containers>(reason, none),
    networks: refusing<Networks>(reason, none),
    volumes: refusing<Volumes>(reason, none),
  }
}
