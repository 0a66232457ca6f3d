import { describe, expect, it } from 'vitest'
import { parseAppJson } from './app-json.ts'

describe('parseAppJson', () => {
  it('has nothing where there is no file', () => {
    expect(parseAppJson(undefined)).toEqual({
      env: {},
      formation: {},
      healthchecks: {},
      scripts: { dokku: {} },
    })
  })
  it('reads what the platform acts on and lets the rest be', () => {
    const text = JSON.stringify({
      name: 'x',
      buildpacks: [],
      env: {
        A: 'a',
        B: { value: 3 },
        C: { generator: 'secret', description: 'key' },
        D: { required: false },
      },
      formation: { web: { quantity: 2, size: 'L' } },
      healthchecks: { web: [{ path: '/up' }, { type: 'liveness', command: 'true', attempts: 2 }] },
      scripts: { dokku: { predeploy: 'a' }, postdeploy: 'b', test: 'c' },
    })
    expect(parseAppJson(text)).toMatchObject({
      env: { A: { value: 'a' }, B: { value: '3' }, C: { generator: 'secret' }, D: { required: false } },
      formation: { web: { quantity: 2 } },
      healthchecks: {
        web: [
          { type: 'startup', path: '/up' },
          { type: 'liveness', command: ['/bin/sh', '-c', 'true'], attempts: 2 },
        ],
      },
      scripts: { dokku: { predeploy: 'a' }, postdeploy: 'b' },
    })
  })
  it.each([
    ['{', /Invalid app.json: /],
    ['[]', /the file: /],
    ['{"env":{"1A":"x"}}', /env.1A: /],
    ['{"formation":{"web":{"quantity":-1}}}', /formation.web.quantity: /],
    [
      '{"healthchecks":{"web":[{"path":"up","timeout":"x"}]}}',
      /healthchecks.web.0.path: .*healthchecks.web.0.timeout: /,
    ],
    ['{"scripts":{"dokku":{"predeploy":1}}}', /scripts.dokku.predeploy: /],
  ])('%s', (text, message) => {
    expect(() => parseAppJson(text)).toThrow(message)
  })
})
