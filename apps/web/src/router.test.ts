import { expect, it } from 'vitest'
import { pageOf } from './router.ts'

it('knows its pages', () => {
  expect(pageOf('/')).toEqual({ name: 'apps' })
  expect(pageOf('/apps/my-blog.v2')).toEqual({ name: 'app', app: 'my-blog.v2' })
  expect(pageOf('/apps/../etc')).toEqual({ name: 'apps' })
})
