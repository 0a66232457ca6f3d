/** Redirects that an owner has set. @module */
import type { SiteRedirect } from '@kernel/contracts'

/**
 * The first rule that fits, and where it leads.
 * @param host as routes have it: lower case, without port
 * @param target of the request line: path and query; anything else (`*`, a whole URL) fits no rule
 */
export function findRedirect(
  rules: readonly SiteRedirect[],
  host: string,
  target: string,
): { location: string; status: number } | undefined {
  if (target.charCodeAt(0) !== slash) return undefined
  for (const rule of rules)
    if (fitsHost(rule.host, host) && fitsPath(rule.path, target)) {
      const location = locationOf(rule, target)
      if (!leadsBack(location, host, target)) return { location, status: rule.status }
    }
  return undefined
}

const slash = 0x2f

/** A rule that leads to where the visitor is would never end. Of another scheme or port only the name is looked at. */
function leadsBack(location: string, host: string, target: string): boolean {
  if (location === target) return true
  const [, name, rest] = /^https?:\/\/([^/?#:]+)(?::\d+)?(.*)$/i.exec(location) ?? []
  return name?.toLowerCase() === host && (rest === target || (rest === '' && target === '/'))
}

function fitsHost(wanted: string | undefined, host: string): boolean {
  if (wanted === undefined || wanted === host) return true
  // As a certificate's wildcard does: one label.
  return (
    wanted.startsWith('*.') &&
    host.indexOf('.') === host.length - wanted.length + 1 &&
    host.endsWith(wanted.slice(1))
  )
}

/** On the border of a segment: `/old` is not the beginning of `/older`. */
function fitsPath(wanted: string | undefined, target: string): boolean {
  if (wanted === undefined || wanted === '' || wanted === '/') return true
  if (!target.startsWith(wanted)) return false
  const next = target[wanted.length]
  return wanted.endsWith('/') || next === undefined || next === '/' || next === '?'
}

function locationOf({ to, path = '', keepPath }: SiteRedirect, target: string): string {
  if (!keepPath) return safe(to)
  const rest = target.slice(path === '/' ? 0 : path.replace(/\/$/, '').length)
  const [base = '', query] = to.split('?', 2)
  const [restPath = '', restQuery] = splitOnce(rest)
  const joined =
    base.replace(/\/+$/, '') + (restPath === '' || restPath.startsWith('/') ? restPath : `/${restPath}`)
  const queries = [query, restQuery].filter((part) => part !== undefined && part !== '')
  // A path on the same host must not become the name of another one: `//evil.example`, `/\evil.example`.
  const local = to.startsWith('/') ? joined.replace(/^[/\\]+/, '/') || '/' : joined
  return safe(queries.length > 0 ? `${local}?${queries.join('&')}` : local)
}

function splitOnce(text: string): [string, string | undefined] {
  const at = text.indexOf('?')
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)]
}

/** Nothing that ends a header line, or that a browser takes for a slash or leaves out. */
function safe(location: string): string {
  return location.replace(
    /[\x00-\x20\x7f\\]/g,
    (character) => `%${character.charCodeAt(0).toString(16).padStart(2, '0').toUpperCase()}`,
  )
}
