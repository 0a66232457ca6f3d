import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { decideSettings, type Flags } from './settings.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'settings-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

function file(text: string, name = 'kernel.yaml'): string {
  const path = join(dir, name)
  writeFileSync(path, text)
  return path
}
const decide = (flags: Flags = {}, env: NodeJS.ProcessEnv = {}) => decideSettings(flags, env)
const messageOf = (flags: Flags, env: NodeJS.ProcessEnv = {}): string => {
  try {
    decide(flags, env)
  } catch (error) {
    expect(error).toMatchObject({ kind: 'invalid' })
    return (error as Error).message
  }
  throw new Error('it was taken')
}

describe('the config file', () => {
  it('is YAML or JSON', () => {
    const yaml = file(
      'dataDir: /srv/kernel\nhttp: 127.0.0.1:8080\nssh: false\nplugins: [kernel-plugin-hello]\n',
    )
    const json = file(
      '{"dataDir": "/srv/kernel", "http": ["127.0.0.1:8080"], "config": {"hello": {"a": 1}}}',
      'k.json',
    )
    expect(decide({ config: yaml })).toMatchObject({
      dataDir: '/srv/kernel',
      http: ['127.0.0.1:8080'],
      ssh: undefined,
      plugins: ['kernel-plugin-hello'],
      configDir: dir,
    })
    expect(decide({ config: json })).toMatchObject({
      dataDir: '/srv/kernel',
      http: ['127.0.0.1:8080'],
      config: { hello: { a: 1 } },
    })
  })

  it('may be empty, and may be named by the environment', () => {
    const path = file('# nothing yet\n')
    expect(decide({}, { KERNEL_CONFIG: path })).toMatchObject({ plugins: [], configDir: dir })
  })

  it('names the nearest known key where one is not known', () => {
    const path = file('datadir: /srv\ntls: { cert: a, kei: b, key: c }\n')
    const message = messageOf({ config: path })
    expect(message).toContain(`${path} is not valid`)
    expect(message).toContain('datadir is not known. Did you mean dataDir?')
    expect(message).toContain('tls.kei is not known. Did you mean key?')
  })

  it.each([
    ['http: 8080', 'http'],
    ['http: 0.0.0.0:99999', '65535'],
    ['host: /run/kernel.sock', 'unix:///PATH'],
    ['ssh: true', 'ssh'],
    ['driver: docker', 'driver'],
    ['logFormat: xml', 'logFormat'],
    ['debug: sometimes', 'debug'],
    ['- a', 'the document'],
  ])('refuses %s and says where', (text, words) => {
    expect(messageOf({ config: file(`${text}\n`) })).toContain(words)
  })

  it('that is missing or broken is named', () => {
    expect(messageOf({ config: join(dir, 'none.yaml') })).toContain('none.yaml')
    expect(messageOf({ config: file('a: [') })).toContain('can not be read')
  })
})

describe('who wins', () => {
  it('the command line over the environment over the file over the defaults', () => {
    const config = file('dataDir: /from/file\nhttp: 127.0.0.1:1\ndriver: process\nlogFormat: json\n')
    const env = {
      KERNEL_DATA_DIR: '/from/env',
      KERNEL_HTTP: '127.0.0.1:2,[::1]:2',
      KERNEL_HTTPS: '127.0.0.1:3',
    }
    expect(decide({ config, dataDir: '/from/line' }, env)).toMatchObject({
      dataDir: '/from/line',
      http: ['127.0.0.1:2', '[::1]:2'],
      https: ['127.0.0.1:3'],
      driver: 'process',
      debug: false,
      ssh: '0.0.0.0:2222',
    })
  })

  it('an empty variable says nothing', () => {
    const config = file('dataDir: /from/file\ndebug: true\n')
    expect(decide({ config }, { KERNEL_DATA_DIR: '', KERNEL_DEBUG: '', KERNEL_SSH: '' })).toMatchObject({
      dataDir: '/from/file',
      debug: true,
      ssh: '0.0.0.0:2222',
    })
  })
})

describe('the environment', () => {
  it('has every setting in its form', () => {
    const env = {
      KERNEL_HOSTS: 'unix:///a.sock,tcp://127.0.0.1:2375',
      KERNEL_SSH: 'false',
      KERNEL_LOG_FORMAT: 'pretty',
      KERNEL_DEBUG: '1',
      KERNEL_DRIVER: 'container',
      KERNEL_DOMAINS: 'apps.example.com',
      KERNEL_STOP_WORKLOADS: 'yes',
    }
    expect(decide({}, env)).toMatchObject({
      hosts: ['unix:///a.sock', 'tcp://127.0.0.1:2375'],
      ssh: undefined,
      logFormat: 'pretty',
      debug: true,
      driver: 'container',
      domains: ['apps.example.com'],
      stopWorkloads: true,
    })
    expect(decide({}, { KERNEL_DEBUG: 'false' }).debug).toBe(false)
  })

  it('is checked like the file', () => {
    expect(messageOf({}, { KERNEL_DRIVER: 'docker' })).toMatch(/^The environment is not valid:\ndriver/)
    expect(messageOf({ http: ['80'] })).toMatch(/^The command line is not valid:\nhttp/)
  })

  it('lets a daemon listen where clients look', () => {
    expect(decide({}, { KERNEL_HOST: 'unix:///mine.sock' }).hosts).toEqual(['unix:///mine.sock'])
    expect(decide({ host: ['unix:///b.sock'] }, { KERNEL_HOST: 'unix:///mine.sock' }).hosts).toEqual([
      'unix:///b.sock',
    ])
  })
})

describe('the command line', () => {
  it('may switch SSH off, and give a relative data dir', () => {
    const settings = decide({ ssh: 'false', dataDir: 'data' })
    expect(settings.ssh).toBeUndefined()
    expect(settings.dataDir).toBe(join(process.cwd(), 'data'))
  })
})
