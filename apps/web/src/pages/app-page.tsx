import type { DeployInfo, ReleaseInfo } from '@kernel/contracts'
import { useCallback, useState } from 'preact/hooks'
import { api } from '../api.ts'
import { ago, bytes, seconds } from '../format.ts'
import { useChanges, useResource } from '../use-resource.ts'
import { DeployLog } from './deploy-log.tsx'
import { State } from './state.tsx'

/** One app: where it is, what runs, its releases, its deploys and the log of a running push. */
export function AppPage({ name }: { name: string }) {
  const page = useResource(
    async (signal) => {
      const [app, { processes }, releases, deploys] = await Promise.all([
        api.app(name, signal),
        api.processes(name, signal),
        api.releases(name, signal),
        api.deploys(name, signal),
      ])
      return { app, processes, releases, deploys }
    },
    [name],
  )
  useChanges(page.reload)
  const [picked, setPicked] = useState<string>()
  if (!page.value) return <p class="notice">{page.error?.message ?? 'Loading…'}</p>
  const { app, processes, releases, deploys } = page.value
  const running = deploys.find(({ status }) => status === 'running' || status === 'waiting')
  const shown = running?.id ?? picked ?? deploys[0]?.id
  return (
    <>
      <h1>
        {app.name} <State state={app.deploy ? 'deploying' : app.state} />
      </h1>
      <p>
        {app.urls.map((url) => (
          <a key={url} href={url} rel="noreferrer">
            {url}
          </a>
        ))}{' '}
        <span class="quiet">
          {[
            app.release,
            app.gitRev?.slice(0, 8),
            app.builder.selected ?? app.builder.detected,
            bytes(app.artifactSize),
          ]
            .filter(Boolean)
            .join(' · ')}
        </span>
      </p>
      <ul class="processes">
        {processes.map((process) => (
          <li key={process.workloadId}>
            <strong>{process.name}</strong> <State state={process.status} />{' '}
            <span class="quiet">
              {process.release}, {ago(process.startedAt)}
              {process.restarts > 0 && `, ${process.restarts} restarts`}
            </span>
          </li>
        ))}
      </ul>
      <h2>Releases</h2>
      <Releases app={name} releases={releases} onDone={page.reload} />
      <h2>Deploys</h2>
      <Deploys deploys={deploys} shown={shown} onPick={setPicked} />
      {shown && <DeployLog key={shown} id={shown} live={shown === running?.id} />}
    </>
  )
}

function Releases({ app, releases, onDone }: { app: string; releases: ReleaseInfo[]; onDone: () => void }) {
  const [state, setState] = useState<{ busy?: string; error?: string }>({})
  const rollBack = useCallback(
    async (release: string) => {
      setState({ busy: release })
      try {
        for await (const _line of api.rollback(app, release, new AbortController().signal));
        setState({})
      } catch (error) {
        setState({ error: (error as Error).message })
      }
      onDone()
    },
    [app, onDone],
  )
  if (releases.length === 0) return <p class="quiet">None yet.</p>
  return (
    <>
      {state.error && (
        <p class="error" role="alert">
          {state.error}
        </p>
      )}
      <table>
        <tbody>
          {releases.map((release) => (
            <tr key={release.id} class={release.current ? 'current' : ''}>
              <td>{release.id}</td>
              <td>{release.description}</td>
              <td>{release.gitRev?.slice(0, 8)}</td>
              <td class="quiet">
                {release.user} {ago(release.created)}
                {release.frozen && ' · in the freezer'}
              </td>
              <td>
                {release.current ? (
                  'current'
                ) : (
                  <button
                    type="button"
                    disabled={release.pruned === true || state.busy !== undefined}
                    onClick={() => rollBack(release.id)}
                  >
                    {state.busy === release.id ? 'Rolling back…' : 'Roll back'}
                  </button>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  )
}

type DeploysProps = { deploys: DeployInfo[]; shown: string | undefined; onPick: (id: string) => void }

function Deploys({ deploys, shown, onPick }: DeploysProps) {
  return (
    <table>
      <tbody>
        {deploys.map((deploy) => (
          <tr key={deploy.id} class={deploy.id === shown ? 'current' : ''}>
            <td>
              <button type="button" class="plain" onClick={() => onPick(deploy.id)}>
                {ago(deploy.started)}
              </button>
            </td>
            <td>
              <State state={deploy.status} />
            </td>
            <td>{deploy.release}</td>
            <td class="quiet">
              {deploy.error ?? deploy.spans.map(({ stage, ms }) => `${stage} ${seconds(ms)}`).join(' · ')}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}
