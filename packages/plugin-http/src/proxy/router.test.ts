import { routerSuite } from '@kernel/contracts/testing'
import { afterEach, describe, expect, it } from 'vitest'
import { RouteBook } from './route-book.ts'
import { ask, closeAll, openApp, openEdge, route } from './testing/fixtures.ts'

afterEach(closeAll)

describe('the contract', () => {
  const suite = routerSuite(async () => {
    const { edge } = await openEdge({}, { threads: 1 })
    return { subject: edge, close: () => edge.close(0) }
  })
  for (const { name, run } of suite) it(name, run)
})

describe('routes', () => {
  it('lead by exact host, wildcard, default host and the longest path', async () => {
    const { edge, port } = await openEdge()
    const [a, b, c, d] = await Promise.all(
      ['a', 'b', 'c', 'd'].map((id) => openApp(id, (_, res) => res.end(id))),
    )
    await edge.publish('a', [route('App.Test', [a!.target])])
    await edge.publish('b', [route('app.test', [b!.target], { path: '/api/' })])
    await edge.publish('c', [route('*.app.test', [c!.target])])
    await edge.publish('d', [route('', [d!.target])])
    const body = async (host: string, path: string) => (await ask(port, { path, headers: { host } })).body
    expect(await body('APP.test:8080', '/')).toBe('a')
    expect(await body('app.test', '/api/x?y')).toBe('b')
    expect(await body('app.test', '/apis')).toBe('a')
    expect(await body('x.y.app.test', '/')).toBe('c')
    expect(await body('other', '/')).toBe('d')
    await edge.withdraw('d')
    expect((await ask(port, { headers: { host: 'other' } })).status).toBe(404)
  })

  it('of a host that is none are refused, and the table stays', async () => {
    const { edge } = await openEdge({}, { threads: 1 })
    await edge.publish('a', [route('a.test', [])])
    await expect(edge.publish('a', [route('a b', [])])).rejects.toMatchObject({ kind: 'invalid' })
    await expect(edge.publish('a', [route('x', []), route('X.', [])])).rejects.toMatchObject({
      kind: 'invalid',
    })
    const port = { id: 't', host: 'h', port: 0 }
    await expect(edge.publish('a', [route('x', [port])])).rejects.toMatchObject({ kind: 'invalid' })
    expect((await edge.list()).map(({ host }) => host)).toEqual(['a.test'])
  })
})

describe('RouteBook', () => {
  const at = (id: string, port = 1) => ({ id, host: '10.0.0.1', port })
  const slotOf = (book: RouteBook, id: string) => book.slots([id])[0]

  it('keeps a target in its place and gives a place away only when nobody is on the way to it', () => {
    const busy = new Set<number>()
    const book = new RouteBook((slot) => !busy.has(slot))
    book.change('a', [route('a', [at('one'), at('two', 2)])]).commit()
    expect([slotOf(book, 'one'), slotOf(book, 'two')]).toEqual([0, 1])
    busy.add(0)
    const change = book.change('a', [route('a', [at('two', 2), at('three', 3)])])
    expect(change.retired).toEqual(['http://10.0.0.1:1'])
    change.commit()
    expect(['one', 'two', 'three'].map((id) => slotOf(book, id))).toEqual([0, 1, 2])
    busy.clear()
    book.change('b', [route('b', [at('four', 4)])]).commit()
    expect(['one', 'four'].map((id) => slotOf(book, id))).toEqual([undefined, 0])
  })

  it('keeps the place of an idle target that leaves the table: somebody may be on the way to it', () => {
    const book = new RouteBook(() => true)
    book.change('a', [route('a', [at('one')])]).commit()
    book.change('a', [route('a', [at('two', 2)])]).commit()
    expect(['one', 'two'].map((id) => slotOf(book, id))).toEqual([0, 1])
    book.change('b', [route('b', [at('three', 3)])]).commit()
    expect(['one', 'two', 'three'].map((id) => slotOf(book, id))).toEqual([undefined, 1, 0])
  })

  it('does nothing before commit', () => {
    const book = new RouteBook(() => true)
    book.change('a', [route('a', [at('one')])])
    expect(book.list()).toEqual([])
    expect(book.lines()).toEqual([])
  })
})
