import { expect, it } from 'vitest'
import * as contracts from './index.ts'

const exported = Object.entries(contracts)

it('names every hook and service once', () => {
  const names = exported.flatMap(([, value]) =>
    typeof value === 'object' && 'kind' in value && 'name' in value ? [`${value.kind} ${value.name}`] : [],
  )
  expect(names.length).toBeGreaterThan(40)
  expect(new Set(names).size).toBe(names.length)
  for (const name of names) expect(name).toMatch(/^[a-z]+ [a-z][a-z0-9-]*$/)
})

it('has one route for a method and path', () => {
  const routes = Object.values(contracts.apiRoutes).map(
    ({ method, path }) => `${method} ${path.replace(/\{\w+\}/g, '{}')}`,
  )
  expect(new Set(routes).size).toBe(routes.length)
})

it('changes nothing by a route that only reads', () => {
  for (const [name, { method, answer }] of Object.entries(contracts.apiRoutes))
    if (method === 'GET') expect([name, answer]).toEqual([name, expect.stringMatching(/^(json|lines)$/)])
})

it('finds the problem behind the blame of a hook', () => {
  const problem = contracts.notFound('No such app: blog', { hint: 'kernel apps:list' })
  const blamed = new Error('plugin "apps" failed in hook "receive-branch"', {
    cause: new Error('between', { cause: problem }),
  })
  expect(contracts.problemOf(blamed)).toBe(problem)
  expect(contracts.problemOf(new Error('plain'))).toBeUndefined()
  expect(contracts.problemOf('not even an error')).toBeUndefined()
})

it.each([
  Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' }),
  Object.assign(new Error('database or disk is full'), { code: 'ERR_SQLITE_ERROR', errcode: 13 }),
  contracts.failed('git index-pack failed: fatal: write error: No space left on device'),
  new Error('plugin "apps" failed', { cause: Object.assign(new Error('write'), { code: 'EDQUOT' }) }),
])('says that the disk is full, whoever met it first: %s', (error) => {
  const problem = contracts.problemOf(error)
  expect(problem).toMatchObject({ kind: 'full', hint: expect.stringContaining('docker system prune') })
  expect(problem?.message).toMatch(/^The server's disk is full: /)
  expect(contracts.problemOf(problem)).toBe(problem)
})

it('takes a full control group for no full disk', () => {
  const error = new Error('write to /sys/fs/cgroup/cpuset/x/cpuset.cpus: No space left on device')
  expect(contracts.problemOf(error)).toBeUndefined()
})

it('knows a problem that crossed a border by its name and kind', () => {
  const copy = Object.assign(new Error('gone'), { name: 'Problem', kind: 'not-found', hint: '' })
  expect(contracts.problemOf(copy)?.kind).toBe('not-found')
})

it('numbers the types of frames apart', () => {
  const numbers = Object.values(contracts.frameType)
  expect(new Set(numbers).size).toBe(numbers.length)
})
