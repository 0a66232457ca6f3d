import { useState } from 'preact/hooks'
import { api } from '../api.ts'

/** Takes a token once; from then on the browser holds a session. */
export function SignIn({ onSignedIn }: { onSignedIn: () => void }) {
  const [error, setError] = useState('')
  const [busy, setBusy] = useState(false)
  async function submit(event: SubmitEvent) {
    event.preventDefault()
    const token = new FormData(event.currentTarget as HTMLFormElement).get('token')
    setBusy(true)
    try {
      await api.signIn(String(token).trim())
      onSignedIn()
    } catch (failure) {
      setError((failure as Error).message)
    } finally {
      setBusy(false)
    }
  }
  return (
    <form class="sign-in" onSubmit={submit}>
      <h1>kernel</h1>
      <input type="text" name="username" autocomplete="username" value="kernel" hidden readOnly />
      <label for="token">Token</label>
      <input id="token" name="token" type="password" autocomplete="current-password" required />
      <p class="quiet">
        A new one: <code>kernel tokens:create NAME</code>
      </p>
      {error && (
        <p class="error" role="alert">
          {error}
        </p>
      )}
      <button type="submit" disabled={busy}>
        Sign in
      </button>
    </form>
  )
}
