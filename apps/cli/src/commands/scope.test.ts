import { describe, expect, it } from 'vitest'
import type { Invocation } from '../command.ts'
import { scoped } from './scope.ts'

const of = (words: string[], global = false) => {
  const names = ['app', 'key', 'value']
  const args = Object.fromEntries(names.map((name, at) => [name, words[at]]))
  return scoped({ args, options: { global } } as unknown as Invocation, names, 1)
}

describe('an app, or all together', () => {
  it('is the first word, or the flag', () => {
    expect(of(['blog', 'email', 'a@b'])).toEqual({ app: 'blog', words: ['email', 'a@b'] })
    expect(of(['email', 'a@b'], true)).toEqual({ app: 'global', words: ['email', 'a@b'] })
    expect(of(['blog', 'email'])).toEqual({ app: 'blog', words: ['email'] })
  })

  it('has what is due behind it, and no more', () => {
    expect(() => of([])).toThrow(/APP or --global, key are due/)
    expect(() => of(['blog'])).toThrow(/Too few/)
    expect(() => of([], true)).toThrow(/Too few/)
    expect(() => of(['email', 'a', 'b'], true)).toThrow(/too many: b/)
  })
})
