import { expect, it } from 'vitest'
import { startTestServer } from '../testing/start-server.ts'

it('counts requests by route and shows what plugins add', async () => {
  const { server, tokens, metrics, url } = await startTestServer()
  server.mount(
    '/things/',
    (_request, env) => {
      env.route = '/things/{id}'
      return new Response('ok')
    },
    { auth: 'handler' },
  )
  const remove = metrics.add(() => '# TYPE things gauge\nthings 3')
  metrics.add(async () => {
    throw new Error('this plugin cannot count')
  })
  await fetch(`${url}/things/17`)
  expect((await fetch(`${url}/metrics`)).status).toBe(401)
  const { token } = await tokens.create('prometheus')
  const scrape = async () =>
    (await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${token}` } })).text()
  const text = await scrape()
  expect(text).toContain('kernel_http_requests_total{method="GET",route="/things/{id}",status="200"} 1')
  expect(text).toContain('process_resident_memory_bytes')
  expect(text).toContain('\nthings 3\n')
  remove()
  expect(await scrape()).not.toContain('things 3')
})
