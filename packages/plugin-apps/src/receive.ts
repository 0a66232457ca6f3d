/** The door for pushes: what may be deployed, and what is refused with the reason. @module */
import { conflict, invalid, postCreate, type ReceivedBranch } from '@kernel/contracts'
import type { Deployed, Deployer } from './deployer.ts'
import { assertUnlocked } from './deployer.ts'
import { assertDomainsFree, effectiveDomains } from './domain-names.ts'
import { checkAppName, shortRev } from './names.ts'
import { toOutput } from './pipeline/output.ts'
import { announce, type Platform } from './platform.ts'
import { type AppRecord, newApp } from './store/records.ts'

/** Deployed while the owner has set no branch and none was deployed yet. */
const usualBranches = ['main', 'master']

export const deployBranches = ({ deployBranch }: AppRecord): string[] =>
  deployBranch === undefined ? usualBranches : [deployBranch]

/** @throws invalid */
function assertDeployBranch(app: AppRecord, branch: string): void {
  const branches = deployBranches(app)
  if (branches.includes(branch)) return
  throw invalid(
    `${app.name} deploys the branch ${branches.join(' or ')}, not ${branch}: nothing was deployed`,
    {
      hint: `Push to it (git push <remote> ${branch}:${branches[0]}), or deploy this one: apps:set ${app.name} deploy-branch ${branch}`,
    },
  )
}

export async function receivePush(
  { store }: Platform,
  deployer: Deployer,
  push: ReceivedBranch,
): Promise<Deployed> {
  const { app: name, branch, rev, user, pushOptions, output, checkout } = push
  const app = store.app(name)
  assertDeployBranch(app, branch)
  assertUnlocked(app)
  for (const option of pushOptions)
    output.error(`The push option ${JSON.stringify(option)} is unknown; it is left out`)
  output.step(`Received ${shortRev(rev)} of ${branch} for ${name}`)
  return deployer.deploySource(
    { app: name, source: 'push', user },
    { rev, checkout },
    { branch, supersedes: true },
    toOutput(output),
  )
}

/** @throws invalid name; conflict where the app or one of its domains is taken */
export async function createApp(platform: Platform, name: string): Promise<AppRecord> {
  const { store } = platform
  checkAppName(name)
  if (store.findApp(name)) throw conflict(`The app ${name} exists already`)
  const app = newApp(name, new Date().toISOString())
  assertDomainsFree(name, effectiveDomains(app, platform), platform)
  store.putApp(app)
  try {
    await platform.call(postCreate, { app: name })
  } catch (error) {
    store.deleteApp(name)
    throw error
  }
  announce(platform, 'app', 'create', name)
  return app
}

/** Makes the app of a first push; undefined where that is switched off. @throws invalid name; conflict */
export async function createAtPush(platform: Platform, name: string): Promise<true | undefined> {
  if (!platform.settings.createOnPush) return undefined
  if (!platform.store.findApp(name)) await createApp(platform, name)
  return true
}
