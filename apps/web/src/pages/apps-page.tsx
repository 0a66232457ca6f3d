import type { AppSummary, SystemInfo } from '@kernel/contracts'
import { api } from '../api.ts'
import { ago } from '../format.ts'
import { follow } from '../router.ts'
import { useChanges, useResource } from '../use-resource.ts'
import { State } from './state.tsx'

/** All apps with state, URL and release. */
export function AppsPage({ system }: { system: SystemInfo }) {
  const apps = useResource(api.apps, [])
  useChanges(apps.reload)
  if (!apps.value) return <p class="notice">{apps.error?.message ?? 'Loading…'}</p>
  return (
    <>
      <h1>Apps</h1>
      {apps.error && (
        <p class="error" role="alert">
          {apps.error.message} {apps.error.hint}
        </p>
      )}
      {apps.value.length === 0 ? <FirstPush system={system} /> : <AppTable apps={apps.value} />}
    </>
  )
}

function AppTable({ apps }: { apps: AppSummary[] }) {
  return (
    <table>
      <thead>
        <tr>
          <th>App</th>
          <th>State</th>
          <th>Release</th>
          <th>Processes</th>
          <th>URL</th>
        </tr>
      </thead>
      <tbody>
        {apps.map((app) => (
          <tr key={app.name}>
            <td>
              <a href={`/apps/${app.name}`} onClick={follow}>
                {app.name}
              </a>
            </td>
            <td>
              <State state={app.deploy ? 'deploying' : app.state} />
            </td>
            <td>
              {app.release} <span class="quiet">{ago(app.deployed)}</span>
            </td>
            <td>
              {Object.entries(app.processes)
                .map(([type, count]) => `${type} ${count}`)
                .join(', ')}
            </td>
            <td>
              {app.urls.map((url) => (
                <a key={url} href={url} rel="noreferrer">
                  {url}
                </a>
              ))}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

function FirstPush({ system: { ssh } }: { system: SystemInfo }) {
  const address = ssh
    ? `ssh://${ssh.user}@${location.hostname}:${ssh.port}/my-app`
    : `${location.origin}/git/my-app.git`
  return (
    <section>
      <p>No apps yet. Push one:</p>
      <pre>{`git remote add kernel ${address}\ngit push kernel main`}</pre>
    </section>
  )
}
