import { render } from 'preact'
import { useCallback, useState } from 'preact/hooks'
import { api } from './api.ts'
import { AppPage } from './pages/app-page.tsx'
import { AppsPage } from './pages/apps-page.tsx'
import { SignIn } from './pages/sign-in.tsx'
import { follow, usePage } from './router.ts'
import { useResource } from './use-resource.ts'
import './style.css'

function Dashboard() {
  const [signedIn, setSignedIn] = useState(0)
  const system = useResource(api.system, [signedIn])
  const page = usePage()
  const onSignedIn = useCallback(() => setSignedIn((n) => n + 1), [])
  if (system.error?.status === 401) return <SignIn onSignedIn={onSignedIn} />
  if (!system.value) return <p class="notice">{system.error?.message ?? 'Loading…'}</p>
  const { value } = system
  return (
    <>
      <header>
        <a class="brand" href="/" onClick={follow}>
          kernel
        </a>
        <span class="quiet">{value.version}</span>
        <button type="button" class="plain" onClick={() => api.signOut().finally(onSignedIn)}>
          Sign out
        </button>
      </header>
      {value.warning && <p class="warning">{value.warning}</p>}
      <main>
        {page.name === 'app' ? <AppPage key={page.app} name={page.app} /> : <AppsPage system={value} />}
      </main>
    </>
  )
}

const root = document.getElementById('app')
if (root) render(<Dashboard />, root)
