/**
 * A program to be killed: works on a store without end, saying `step NAME` before and `done NAME` after each
 * thing, so that the test can tell what was acknowledged.
 * @module
 */
import { createReadStream } from 'node:fs'
import { createStore } from '../index.ts'

const [dataDir = '', ref = '', archive = ''] = process.argv.slice(2)
const say = (text: string) => process.stdout.write(`${text}\n`)
const log = { debug() {}, info() {}, warn() {}, error() {} }

const store = await createStore({ dataDir, log })
const line = () => say('progress')
for (let round = 0; ; round++) {
  say('step pull')
  await store.images.pull(ref, {}, line)
  say('done pull')
  say('step snapshot')
  const image = await store.images.resolve(ref)
  const key = `c${process.pid}-${round}`
  await store.snapshots.prepare(key, image.config.rootfs.diff_ids)
  await store.snapshots.mount(key)
  say(`done snapshot ${key}`)
  say('step load')
  await store.images.load(createReadStream(archive), line)
  say('done load')
  say('step commit')
  if (round % 2) await store.snapshots.unmount(key)
  await store.snapshots.commit(key)
  say('done commit')
  say('step remove')
  for (const other of await store.snapshots.keys()) if (other !== key) await store.snapshots.remove(other)
  await store.images.remove(ref, { force: true })
  await store.images.remove('loaded', { force: true })
  say('done remove')
}
