import type { Releases } from '@kernel/contracts'
import type { Deployer } from '../deployer.ts'
import type { Floor } from '../pipeline/transition.ts'
import { releaseId, rollBack } from '../rollback.ts'
import { releaseInfo } from '../store/records.ts'

export function createReleases(floor: Floor, deployer: Deployer): Releases {
  const { store } = floor.platform
  return {
    async list(name) {
      const app = store.app(name)
      return store.listReleases(name).map((release) => releaseInfo(release, app))
    },
    async inspect(name, id) {
      const app = store.app(name)
      return releaseInfo(store.release(name, releaseId(id)), app)
    },
    async rollback(name, id, options, onLine) {
      const release = await rollBack(floor, deployer, { app: name, id, ...options }, onLine)
      return releaseInfo(release, store.app(name))
    },
  }
}
