/** Paths of the dashboard: `/` and `/apps/NAME`, with the browser's own history. @module */
import { useEffect, useState } from 'preact/hooks'

export type Page = { name: 'apps' } | { name: 'app'; app: string }

export function pageOf(path: string): Page {
  const found = /^\/apps\/([a-z0-9][a-z0-9.-]*)\/?$/.exec(path)
  return found ? { name: 'app', app: found[1]! } : { name: 'apps' }
}

export function go(path: string): void {
  history.pushState(null, '', path)
  dispatchEvent(new PopStateEvent('popstate'))
}

/** For links: a plain click stays in the page. */
export function follow(event: MouseEvent): void {
  const link = event.currentTarget as HTMLAnchorElement
  if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
  event.preventDefault()
  go(link.pathname)
}

export function usePage(): Page {
  const [page, setPage] = useState(() => pageOf(location.pathname))
  useEffect(() => {
    const onChange = () => setPage(pageOf(location.pathname))
    addEventListener('popstate', onChange)
    return () => removeEventListener('popstate', onChange)
  }, [])
  return page
}
