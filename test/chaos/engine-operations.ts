/** Operations of the docker command line. @module */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { image, type Lab } from './lab.ts'
import type { Operation } from './steps.ts'
import type { World } from './told.ts'
import { anything } from './world.ts'

const sleeper = 'trap "exit 0" TERM; while :; do sleep 60 & wait; done'
const gone = (lab: Lab, name: string) => () => lab.docker('rm', '-f', '-v', name)
const done = async (lab: Lab, ...args: string[]) => (await lab.docker(...args)).code === 0
const inState = (name: string, state: string) => (world: World) => {
  world.containers[name] = { id: anything, image, state }
}

const pull: Operation = async (lab) => {
  await lab.docker('rmi', lab.remote)
  return {
    act: () => done(lab, 'pull', '-q', lab.remote),
    after: (world) => void Object.assign(world.images, { [lab.remote]: anything }),
    async also(told) {
      if (!told) return []
      const { code, output } = await lab.docker('run', '--rm', lab.remote, 'cmp', '/three', '/three')
      return code === 0 ? [] : [`the image that was pulled does not run: ${output}`]
    },
    clear: () => lab.docker('rmi', lab.remote),
  }
}

const run: Operation = async (lab) => {
  const name = `run-${lab.next()}`
  return {
    act: () =>
      done(
        lab,
        'run',
        '-d',
        '--name',
        name,
        '-p',
        '127.0.0.1::80',
        '-v',
        '/data',
        image,
        'sh',
        '-c',
        sleeper,
      ),
    after: inState(name, 'running'),
    // Two requests: to create it, and to start it.
    between: [inState(name, 'created')],
    clear: gone(lab, name),
  }
}

const runOnce: Operation = async (lab) => {
  const name = `once-${lab.next()}`
  return {
    act: () => done(lab, 'run', '--rm', '--name', name, '-v', '/data', image, 'sleep', '0.1'),
    after: () => {},
    between: [inState(name, 'created')],
    clear: gone(lab, name),
  }
}

async function running(lab: Lab, kind: string, ...options: string[]): Promise<string> {
  const name = `${kind}-${lab.next()}`
  await lab.mustDocker('run', '-d', '--name', name, ...options, image, 'sh', '-c', sleeper)
  return name
}

const remove: Operation = async (lab) => {
  const name = await running(lab, 'remove', '-p', '127.0.0.1::80', '-v', '/data')
  return {
    act: () => done(lab, 'rm', '-f', '-v', name),
    after(world) {
      delete world.containers[name]
    },
    touches: (container) => container === name,
    clear: gone(lab, name),
  }
}

const restart: Operation = async (lab) => {
  const name = await running(lab, 'restart', '-p', '127.0.0.1::80')
  return {
    act: () => done(lab, 'restart', '-t', '5', name),
    after: () => {},
    touches: (container) => container === name,
    clear: gone(lab, name),
  }
}

const stop: Operation = async (lab) => {
  const name = await running(lab, 'stop')
  return {
    act: () => done(lab, 'stop', '-t', '5', name),
    after(world) {
      const container = world.containers[name]
      if (container) container.state = 'exited'
    },
    touches: (container) => container === name,
    clear: gone(lab, name),
  }
}

const exec: Operation = async (lab) => ({
  act: () => done(lab, 'exec', 'ticker', 'sh', '-c', 'echo in; sleep 0.1; echo out'),
  after: () => {},
})

function buildContext(lab: Lab, content: string): string {
  const dir = join(lab.daemon.dir, content)
  mkdirSync(dir)
  writeFileSync(
    join(dir, 'Dockerfile'),
    `FROM ${image}\nCOPY file /file\nRUN echo ${content} > /made; sleep 0.05\n`,
  )
  writeFileSync(join(dir, 'file'), content)
  return dir
}

const classic = (lab: Lab) => ({ env: { ...lab.daemon.env, DOCKER_BUILDKIT: '0' } })

const build: Operation = async (lab) => {
  const tag = `built:${lab.next()}`
  const dir = buildContext(lab, tag.replace(':', '-'))
  return {
    act: async () => (await lab.daemon.docker(['build', '-q', '-t', tag, dir], classic(lab))).code === 0,
    after: (world) => void Object.assign(world.images, { [tag]: anything }),
    async clear() {
      rmSync(dir, { recursive: true })
      await lab.docker('rmi', tag)
      await lab.mustDocker('builder', 'prune', '-af')
    },
  }
}

const prune: Operation = async (lab) => {
  const name = `pruned-${lab.next()}`
  const dir = buildContext(lab, name)
  await lab.daemon.docker(['build', '-q', dir], classic(lab))
  rmSync(dir, { recursive: true })
  await lab.mustDocker('create', '--name', name, image)
  await lab.mustDocker('network', 'create', name)
  const noContainer = (world: World) => {
    delete world.containers[name]
  }
  const noNetwork = (world: World) => {
    delete world.networks[name]
  }
  return {
    act: () => done(lab, 'system', 'prune', '-f'),
    after(world) {
      noContainer(world)
      noNetwork(world)
    },
    // One request a kind.
    between: [noContainer],
    async clear() {
      await lab.docker('rm', '-f', '-v', name)
      await lab.docker('network', 'rm', name)
      await lab.mustDocker('system', 'prune', '-f')
    },
  }
}

const createVolume: Operation = async (lab) => {
  const name = `volume-${lab.next()}`
  return {
    act: () => done(lab, 'volume', 'create', name),
    after: (world) => void Object.assign(world.volumes, { [name]: '' }),
    clear: () => lab.docker('volume', 'rm', '-f', name),
  }
}

const removeVolume: Operation = async (lab) => {
  const name = `volume-${lab.next()}`
  await lab.mustDocker('volume', 'create', name)
  const at = await lab.mustDocker('volume', 'inspect', '-f', '{{.Mountpoint}}', name)
  writeFileSync(join(at, 'file'), name)
  // Enough of them that the removal takes a moment.
  for (let file = 0; file < 2000; file++) writeFileSync(join(at, `file-${file}`), '')
  return {
    act: () => done(lab, 'volume', 'rm', name),
    after(world) {
      delete world.volumes[name]
    },
    clear: () => lab.docker('volume', 'rm', '-f', name),
  }
}

const createNetwork: Operation = async (lab) => {
  const name = `network-${lab.next()}`
  return {
    act: () => done(lab, 'network', 'create', name),
    after: (world) => void Object.assign(world.networks, { [name]: anything }),
    clear: () => lab.docker('network', 'rm', name),
  }
}

const removeNetwork: Operation = async (lab) => {
  const name = `network-${lab.next()}`
  await lab.mustDocker('network', 'create', name)
  return {
    act: () => done(lab, 'network', 'rm', name),
    after(world) {
      delete world.networks[name]
    },
    clear: () => lab.docker('network', 'rm', name),
  }
}

export const engineOperations: Record<string, Operation> = {
  pull,
  run,
  'run-rm': runOnce,
  remove,
  restart,
  stop,
  exec,
  build,
  prune,
  'create-volume': createVolume,
  'remove-volume': removeVolume,
  'create-network': createNetwork,
  'remove-network': removeNetwork,
}
