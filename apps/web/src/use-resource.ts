/** Something that is loaded, shown, and loaded again when it changed. @module */
import { useCallback, useEffect, useState } from 'preact/hooks'
import { ApiError, api } from './api.ts'

export interface Resource<T> {
  value?: T
  error?: ApiError
  reload(): void
}

/** Loads at once, whenever `keys` change, and by `reload`; what was loaded stays shown meanwhile. */
export function useResource<T>(load: (signal: AbortSignal) => Promise<T>, keys: unknown[]): Resource<T> {
  const [state, setState] = useState<{ value?: T; error?: ApiError }>({})
  const [round, setRound] = useState(0)
  useEffect(() => {
    const abort = new AbortController()
    load(abort.signal).then(
      (value) => setState({ value }),
      (error: unknown) => {
        if (abort.signal.aborted) return
        setState(({ value }) => ({
          value,
          error: error instanceof ApiError ? error : new ApiError(0, String(error)),
        }))
      },
    )
    return () => abort.abort()
  }, [...keys, round])
  return { ...state, reload: useCallback(() => setRound((n) => n + 1), []) }
}

/** Calls back, at most every 200 ms, while the daemon's events say that apps or deploys changed. */
export function useChanges(onChange: () => void): void {
  useEffect(() => {
    const abort = new AbortController()
    let timer: ReturnType<typeof setTimeout> | undefined
    const soon = () => {
      timer ??= setTimeout(() => {
        timer = undefined
        onChange()
      }, 200)
    }
    const follow = async () => {
      while (!abort.signal.aborted) {
        try {
          for await (const { Type } of api.events(abort.signal))
            if (Type === 'app' || Type === 'deploy' || Type === 'container') soon()
        } catch {
          // The daemon restarts, or the session ended: the next load tells.
        }
        if (abort.signal.aborted) return
        await new Promise((resolve) => setTimeout(resolve, 2000))
        soon()
      }
    }
    void follow()
    return () => {
      abort.abort()
      clearTimeout(timer)
    }
  }, [onChange])
}
