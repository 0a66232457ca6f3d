/**
 * `npm start`: from a fresh clone to a running app at its URL. `npm start -- --once` does the same, fetches
 * the page, shuts down, and exits 0 where every step worked.
 */
import { demoToken, fetchPage, openDemo, pushHello } from './demo.mjs'
import { build, checkNode, detail, giveUp, installHostPackages, installWorkspace, step } from './setup.mjs'

const args = process.argv.slice(2)
if (args.includes('--help') || args.includes('-h')) {
  console.log(
    'npm start            sets all up, starts the daemon, pushes examples/hello-node, stays until Ctrl-C',
  )
  console.log('npm start -- --once  the same, fetches the page, shuts down, exits 0 where all of it worked')
  process.exit(0)
}
const unknown = args.find((arg) => arg !== '--once')
if (unknown) giveUp(`npm start does not know ${unknown}; it takes --once.`)

checkNode()
installHostPackages(['always', 'containers'])
installWorkspace()
build()

let stopDaemon
let stopping = false
async function stop(code) {
  if (stopping) return
  stopping = true
  if (stopDaemon) {
    step('Stopping')
    await stopDaemon()
    detail('the daemon and its apps have stopped; `npm start` brings them back')
  }
  process.exit(code)
}
let deployed = false
process.on('SIGINT', () => stop(deployed ? 0 : 130))
process.on('SIGTERM', () => stop(deployed ? 0 : 143))

try {
  const demo = await openDemo((stop) => {
    stopDaemon = stop
  })
  const { remote } = pushHello(demo)
  const { urls } = JSON.parse(demo.kernel(['apps:report', 'hello', '--format', 'json']))
  const page = await fetchPage(urls[0])
  step(`GET ${urls[0]} -> ${page.status}`)
  for (const line of page.body.trimEnd().split('\n')) detail(line)
  if (page.status !== 200) throw new Error(`the page answered ${page.status}`)
  if (args.includes('--once')) await stop(0)
  deployed = true

  const token = demoToken(demo)
  const [base, app] = [remote.slice(0, remote.lastIndexOf('/')), 'my-app']
  console.log(`
=====> ${urls[0]}

       Dashboard        http://127.0.0.1:${demo.ports.api}/  (sign in with ${token})
       Your own app     git remote add kernel ${base}/${app}
                        GIT_SSH_COMMAND="ssh -i ${demo.dir}/keys/id_ed25519" git push kernel main
       Commands         export KERNEL_HOST=${demo.env.KERNEL_HOST}
                        npx pnpm exec kernel apps:list
       Docker           docker -H ${demo.env.KERNEL_HOST} ps
       Stop             Ctrl-C
`)
  demo.daemon.once('exit', (code) => {
    if (!stopping) giveUp(`the daemon ended with code ${code}; its log: ${demo.log}`)
  })
} catch (error) {
  // After Ctrl-C everything fails; that is no news.
  if (!stopping) console.error(` !     ${error.message}`)
  await stop(1)
}
