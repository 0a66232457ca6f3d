/** Operations on apps: pushes, config, scale, rollback, domains, the life of an app, keys. @module */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Repository } from '../harness/repository.ts'
import { must } from '../harness/run.ts'
import { SshKey } from '../harness/ssh-key.ts'
import { chaosApp, type Lab } from './lab.ts'
import { type Operation, ofShop, type Step } from './steps.ts'
import type { AppWorld, World } from './told.ts'
import { anything, shownReleases } from './world.ts'

const shopOf = (world: World): AppWorld => {
  const shop = world.apps.shop
  if (!shop) throw new Error('the app shop is gone')
  return shop
}

const pageOf = (content: string, config: AppWorld['config']) => `${content} ${config.GREETING ?? 'none'}`
const contentOf = ({ page }: AppWorld) => page.split(' ')[0] ?? ''

function addRelease(app: AppWorld, source: string): void {
  const newest = Number(/^v(\d+)/.exec(app.releases[0] ?? 'v0')?.[1] ?? 0)
  app.current = `v${newest + 1}`
  app.releases = [`${app.current} ${source}`, ...app.releases].slice(0, shownReleases)
}

const push: Operation = async (lab) => {
  const content = `content-${lab.next()}`
  await lab.shop.commit(chaosApp(content))
  return {
    act: async () => (await lab.shop.push()).code === 0,
    after(world) {
      const shop = shopOf(world)
      addRelease(shop, 'push')
      shop.page = pageOf(content, shop.config)
    },
    touches: ofShop,
  }
}

const failingPush: Operation = async (lab) => {
  await lab.shop.commit(chaosApp(`content-${lab.next()}`, 'echo broken; exit 1'))
  return {
    act: async () => (await lab.shop.push()).code === 0,
    after: () => {},
    touches: (name) => /^shop\..*\.v\d+\./.test(name),
    also: async (told) => (told ? ['a push whose process fails was accepted'] : []),
    clear: () => lab.shop.git(['reset', '-q', '--hard', 'HEAD~']),
  }
}

const configSet: Operation = async (lab) => {
  const greeting = `hello-${lab.next()}`
  return {
    act: () => lab.told('PATCH', '/apps/shop/config', { set: { GREETING: greeting } }),
    after(world) {
      const shop = shopOf(world)
      shop.config.GREETING = greeting
      addRelease(shop, 'config')
      shop.page = pageOf(contentOf(shop), shop.config)
    },
    touches: ofShop,
  }
}

const scale: Operation = async (lab, world, chance) => {
  const { scale: now } = shopOf(world)
  const type = chance() < 0.5 ? 'web' : 'worker'
  const counts = { [type]: now[type] === 1 ? 2 : 1 }
  return {
    act: () => lab.told('PATCH', '/apps/shop/scale', { counts }),
    after: (after) => void Object.assign(shopOf(after).scale, counts),
    touches: ofShop,
  }
}

const rollback: Operation = async (lab, world) => {
  const [, target = ''] = shopOf(world).releases.map((release) => release.split(' ')[0] ?? '')
  const then = lab.seenReleases.get(target)
  if (!then) throw new Error(`the release ${target} was never seen`)
  return {
    act: () => lab.told('POST', '/apps/shop/rollback', { release: target }),
    after(after) {
      const shop = shopOf(after)
      addRelease(shop, 'rollback')
      shop.config = { ...then.config }
      shop.scale = { ...shop.scale, ...then.scale }
      shop.page = then.page
    },
    touches: ofShop,
  }
}

const restartApp: Operation = async (lab) => ({
  act: () => lab.told('POST', '/apps/shop/restart', {}),
  after: () => {},
  touches: ofShop,
})

const stopApp: Operation = async (lab) => ({
  act: () => lab.told('POST', '/apps/shop/stop', {}),
  after(world) {
    const shop = shopOf(world)
    shop.state = 'stopped'
    shop.page = anything
  },
  touches: ofShop,
  clear: () => lab.told('POST', '/apps/shop/start', {}),
})

const domains: Operation = async (lab, world) => {
  const own = shopOf(world).domains.filter((domain) => domain.endsWith('.example.test'))
  const [oldest] = own
  if (own.length > 2 && oldest)
    return {
      act: () => lab.told('DELETE', `/apps/shop/domains?domain=${oldest}`),
      after(after) {
        const shop = shopOf(after)
        shop.domains = shop.domains.filter((domain) => domain !== oldest)
      },
    }
  const domain = `d${lab.next()}.example.test`
  return {
    act: () => lab.told('POST', '/apps/shop/domains', { domains: [domain] }),
    after: (after) => void shopOf(after).domains.push(domain),
  }
}

const createApp: Operation = async (lab) => {
  const name = `made-${lab.next()}`
  return {
    act: () => lab.told('POST', '/apps', { name }),
    after: (world) => void Object.assign(world.apps, { [name]: anything }),
    clear: () => lab.told('DELETE', `/apps/${name}`),
  }
}

/** An app that is deployed, and is to be destroyed or renamed. */
async function shortLived(lab: Lab): Promise<{ name: string; repository: Repository }> {
  const name = `brief-${lab.next()}`
  const repository = await Repository.create(lab.daemon, name, chaosApp(name))
  await repository.deploy()
  return { name, repository }
}

const destroyApp: Operation = async (lab) => {
  const { name, repository } = await shortLived(lab)
  return {
    act: () => lab.told('DELETE', `/apps/${name}`),
    after(world) {
      delete world.apps[name]
    },
    touches: (container) => container.startsWith(`${name}.`),
    clear: async () => {
      await lab.told('DELETE', `/apps/${name}`)
      await repository.remove()
    },
  }
}

const renameApp: Operation = async (lab) => {
  const { name, repository } = await shortLived(lab)
  const renamed = `${name}-new`
  const head = (await repository.git(['rev-parse', 'HEAD'])).trim()
  return {
    act: () => lab.told('POST', `/apps/${name}/rename`, { name: renamed }),
    after(world) {
      const app = world.apps[name]
      if (!app) throw new Error(`the app ${name} is gone`)
      delete world.apps[name]
      world.apps[renamed] = { ...app, domains: [`${renamed}.e2e.test`] }
    },
    touches: (container) => container.startsWith(`${name}.`),
    async also() {
      const apps = await lab.api<Array<{ name: string }>>('GET', '/apps')
      const app = apps.find((one) => one.name === name || one.name === renamed)?.name ?? name
      const refs = await repository.git(['ls-remote', repository.remote.replace(/[^/]+$/, app)])
      return refs.includes(`${head}\trefs/heads/main`)
        ? []
        : [`the repository of ${app} has lost its branch: ${refs}`]
    },
    async clear() {
      for (const app of [name, renamed]) await lab.told('DELETE', `/apps/${app}`)
      await repository.remove()
    },
  }
}

const addKey: Operation = async (lab) => {
  const name = `key-${lab.next()}`
  const key = await SshKey.create(join(lab.daemon.dir, name))
  const publicKey = readFileSync(key.publicFile, 'utf8').trim()
  const print = (await must('ssh-keygen', ['-lf', key.publicFile])).split(' ')[1] ?? ''
  return {
    act: () => lab.told('POST', '/ssh-keys', { name, publicKey }),
    after(world) {
      world.keys = [...world.keys, `${name} ${print}`].sort()
    },
    clear: () => lab.told('DELETE', `/ssh-keys/${name}`),
  }
}

const createToken: Operation = async (lab) => {
  const name = `token-${lab.next()}`
  let secret = ''
  const step: Step = {
    async act() {
      const { status, body } = await lab.answer('POST', '/api/v1/tokens', { body: { name } })
      if (status < 200 || status >= 300) return false
      secret = /"(?:secret|token)":"([^"]+)"/.exec(body.toString('utf8'))?.[1] ?? ''
      return true
    },
    after(world) {
      world.tokens = [...world.tokens, name].sort()
    },
    async also(told) {
      if (!told) return []
      const at = `http://127.0.0.1:${lab.daemon.ports.api}/api/v1/system`
      const { status } = await fetch(at, { headers: { authorization: `Bearer ${secret}` } })
      return status === 200 ? [] : [`the token that was given out is refused: ${status}`]
    },
    clear: () => lab.told('DELETE', `/tokens/${name}`),
  }
  return step
}

export const appOperations: Record<string, Operation> = {
  push,
  'failing-push': failingPush,
  config: configSet,
  scale,
  rollback,
  'restart-app': restartApp,
  'stop-app': stopApp,
  domains,
  'create-app': createApp,
  'destroy-app': destroyApp,
  'rename-app': renameApp,
  'add-key': addKey,
  'create-token': createToken,
}
