import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Tree, writeTree } from '../testing/harness.ts'
import { builderNamed, detectBuilder, nothingToBuild } from './detect.ts'
import type { BuilderInput } from './source-plan.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'builders-'))
})
afterEach(() => rm(dir, { recursive: true }))

const detect = async (files: Tree) => {
  await writeTree(dir, files)
  return detectBuilder({ dir, dockerfilePath: 'Dockerfile' })
}
const plan = async (name: string, files: Tree, input: Partial<BuilderInput> = {}) => {
  await writeTree(dir, files)
  const made = await builderNamed(name)?.plan({
    dir,
    base: 'kernel/base:latest',
    dockerfilePath: 'Dockerfile',
    ...input,
  })
  const text = made && 'text' in made.dockerfile ? made.dockerfile.text.trim().split('\n') : []
  return { ...made, text }
}
const json = (value: object) => JSON.stringify(value)

describe('detection', () => {
  const all = { Dockerfile: 'FROM x', 'package.json': '{}', 'index.html': '', Procfile: 'web: a' }
  it.each([
    ['dockerfile', all],
    ['node', { 'package.json': '{}', 'index.html': '', Procfile: 'web: a' }],
    ['static', { 'index.html': '', Procfile: 'web: a' }],
    ['static', { 'public/index.html': '' }],
    ['static', { '.static': '' }],
    ['static', { 'static.json': '{"root":"site"}', 'site/a.html': '' }],
    ['procfile', { Procfile: 'web: a', 'public/logo.svg': '' }],
    [undefined, { 'main.c': '', 'docker/Dockerfile': '' }],
  ] as Array<[string | undefined, Tree]>)('%s', async (name, files) => {
    expect(await detect(files)).toBe(name)
  })

  it('says what was looked for and what is there', async () => {
    await writeTree(dir, { 'main.c': '', README: '' })
    const { message, hint } = await nothingToBuild(dir)
    expect(message).toMatch(/a Dockerfile, a package.json, static files .* a Procfile$/)
    expect(hint).toMatch(/^The tree has: README main.c\./)
  })
})

describe('dockerfile', () => {
  it('builds the file named, and needs containers', async () => {
    const made = await plan('dockerfile', { 'deploy/Prod': 'FROM x' }, { dockerfilePath: 'deploy/Prod' })
    expect(made).toMatchObject({
      dockerfile: { path: 'deploy/Prod' },
      processes: {},
      hostReason: expect.any(String),
    })
    expect(made.host).toBeUndefined()
  })
  it('says which file is missing', async () => {
    await expect(plan('dockerfile', {}, { dockerfilePath: 'deploy/Prod' })).rejects.toThrow(
      'There is no deploy/Prod',
    )
  })
})

describe('node', () => {
  it('copies a source without dependencies and starts it without npm around it', async () => {
    const made = await plan('node', { 'package.json': json({ scripts: { start: 'node server.js' } }) })
    expect(made.text).toEqual([
      'FROM kernel/base:latest',
      'WORKDIR /app',
      'COPY . .',
      'ENV NODE_ENV=production PORT=5000 PATH=/app/node_modules/.bin:$PATH',
      'USER app',
      'CMD ["npm","start"]',
    ])
    expect(made.processes).toEqual({ web: 'node server.js' })
    expect(made.host).toEqual({ commands: [] })
    expect(made.dockerignore).toBe('node_modules\n**/node_modules\n.git\n')
  })

  it('installs before the source comes in, so that the layer is kept', async () => {
    const { text, host, dockerignore } = await plan('node', {
      'package.json': json({ dependencies: { a: '1' }, main: 'app.js' }),
      'package-lock.json': '{}',
      '.dockerignore': 'docs',
      'app.js': '',
    })
    expect(text.slice(2, 5)).toEqual([
      'COPY ["package.json","package-lock.json","./"]',
      'RUN npm ci --omit=dev --no-audit --no-fund',
      'COPY . .',
    ])
    expect(host?.commands).toEqual([['/bin/sh', '-c', 'npm ci --omit=dev --no-audit --no-fund']])
    expect(dockerignore).toBe('docs\nnode_modules\n**/node_modules\n.git\n')
  })

  it('builds with all dependencies and ships without those of development', async () => {
    const { text, processes } = await plan('node', {
      'package.json': json({
        devDependencies: { vite: '8' },
        scripts: { build: 'vite build', start: 'vite preview' },
      }),
    })
    expect(text.filter((line) => line.startsWith('RUN'))).toEqual([
      'RUN npm install --include=dev --no-package-lock --no-audit --no-fund',
      'RUN npm run build',
      'RUN npm prune --omit=dev --no-audit --no-fund',
    ])
    expect(processes).toEqual({ web: 'export PATH="$PWD/node_modules/.bin:$PATH"; exec vite preview' })
  })

  it.each([
    ['workspaces', { workspaces: ['packages/*'] }],
    ['a local dependency', { dependencies: { lib: 'file:./lib' } }],
    ['a lifecycle script', { dependencies: { a: '1' }, scripts: { postinstall: 'node patch.js' } }],
  ])('brings the source in first for %s', async (_, manifest) => {
    const { text } = await plan('node', { 'package.json': json(manifest), 'server.js': '' })
    const [copy, run] = [
      text.indexOf('COPY . .'),
      text.findIndex((line) => line.startsWith('RUN npm install')),
    ]
    expect(copy).toBeGreaterThan(0)
    expect(run).toBeGreaterThan(copy)
  })

  it('installs with the manager of the lock file, in the version that is pinned', async () => {
    const { text } = await plan('node', {
      'package.json': json({ dependencies: { a: '1' }, packageManager: 'pnpm@9.1.0+sha512.abc' }),
      'pnpm-lock.yaml': '',
      'server.js': '',
    })
    expect(text).toContain('RUN npx --yes pnpm@9.1.0 install --frozen-lockfile --prod')
  })

  it.each([
    [{ scripts: { start: 'node a.js', prestart: 'x' } }, 'npm start'],
    [{ scripts: { start: 'a && b' } }, 'npm start'],
    [{ scripts: { start: 'NODE_ENV=x node a.js' } }, 'npm start'],
    [{ main: 'lib/my app.js' }, "node 'lib/my app.js'"],
  ])('%j starts by %s', async (manifest, line) => {
    const { processes } = await plan('node', { 'package.json': json(manifest), 'lib/my app.js': '' })
    expect(processes).toEqual({ web: line })
  })

  it('leaves starting to a Procfile', async () => {
    expect((await plan('node', { 'package.json': '{}' }, { procfile: { web: 'x' } })).processes).toEqual({})
  })

  it('leaves a foreign base its own user', async () => {
    const { text } = await plan('node', { 'package.json': '{}', 'index.js': '' }, { base: 'node:26' })
    expect(text[0]).toBe('FROM node:26')
    expect(text).not.toContain('USER app')
  })

  it.each([
    ['{', /^Invalid package.json: /],
    ['{"scripts":3}', /^Invalid package.json: scripts: /],
    ['{}', /does not say how to start/],
  ])('refuses %s', async (text, message) => {
    await expect(plan('node', { 'package.json': text })).rejects.toThrow(message)
  })
})

describe('static', () => {
  it('serves the folder that has the index', async () => {
    const { text, processes } = await plan('static', { 'public/index.html': '' })
    expect(text).toEqual([
      'FROM kernel/base:latest',
      'WORKDIR /app',
      'COPY ["public/","./"]',
      'ENV STATIC_ROOT=/app PORT=5000',
      'USER app',
      'CMD ["node", "/opt/kernel/static-server.mjs"]',
    ])
    expect(processes?.web).toContain('STATIC_ROOT="$PWD"/public;')
    expect(processes?.web).toContain('exec node "${KERNEL_STATIC_SERVER:-/opt/kernel/static-server.mjs}"')
  })
  it('takes a root of any name as a name, not as shell', async () => {
    const { processes } = await plan('static', {
      'static.json': json({ root: 'a $(x)' }),
      'a $(x)/i.html': '',
    })
    expect(processes?.web).toContain('"$PWD"/\'a $(x)\';')
  })
  it.each([
    ['{', /^Invalid static.json/],
    ['{"root":1}', /^Invalid static.json/],
    ['{"root":"../.."}', /inside the source tree/],
    ['{"root":"none"}', /no folder of the source/],
  ])('refuses %s', async (text, message) => {
    await expect(plan('static', { 'static.json': text })).rejects.toThrow(message)
  })
})

it('procfile copies the source and needs the Procfile', async () => {
  expect((await plan('procfile', { Procfile: 'web: a' }, { procfile: { web: 'a' } })).text).toEqual([
    'FROM kernel/base:latest',
    'WORKDIR /app',
    'COPY . .',
    'USER app',
  ])
  await expect(plan('procfile', {})).rejects.toThrow(/needs a Procfile/)
})
