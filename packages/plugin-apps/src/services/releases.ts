import type { Releases } from '@kernel/contracts'
import type { Deployer } from '../deployer.ts'
import type { Platform } from '../platform.ts'
import { releaseInfo } from '../store/records.ts'

export function createReleases({ store }: Platform, deployer: Deployer): Releases {
  return {
    async list(name) {
      const { current } = store.app(name)
      return store.listReleases(name).map((release) => releaseInfo(release, current))
    },
    async inspect(name, id) {
      const { current } = store.app(name)
      return releaseInfo(store.release(name, id), current)
    },
    async rollback(name, id, onLine) {
      const release = await deployer.rollback(name, id, onLine)
      return releaseInfo(release, store.app(name).current)
    },
  }
}
