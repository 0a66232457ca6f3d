/** Settings of the edge as owners write them. @module */
import { domainToASCII } from 'node:url'
import { type EdgePage, invalid, type SiteCoding, type SiteRedirect } from '@kernel/contracts'

export const codings: readonly SiteCoding[] = ['zstd', 'br', 'gzip']
const edgePages: readonly EdgePage[] = ['404', '502', '503', '504', 'maintenance']
/** Bytes; it is kept in the memory of each listener thread. */
const longestPage = 64 * 1024

/** `50/s burst 100`, `600/m`, `20/h`. Without a burst: what a second brings, at least 1. */
export function parseRateLimit(text: string): { perSecond: number; burst: number } {
  const [, count, unit, burstText] =
    /^(\d{1,6}(?:\.\d{1,3})?)\s*\/\s*(s|m|h)(?:[\s,]+burst[\s=]+(\d{1,6}))?$/i.exec(text.trim()) ?? []
  const perSecond = Number(count) / { s: 1, m: 60, h: 3600 }[(unit ?? 's').toLowerCase() as 's']
  const burst = burstText === undefined ? Math.max(1, Math.ceil(perSecond)) : Number(burstText)
  if (count === undefined || perSecond <= 0 || burst < 1)
    throw invalid(`${JSON.stringify(text)} is no rate`, {
      hint: 'Such as: 50/s, "50/s burst 100", "600/m burst 20", 100/h; off takes it away.',
    })
  if (burst / perSecond > 86_400)
    throw invalid(`A burst of ${burst} at ${text} would take more than a day to come back`, {
      hint: 'Give a smaller burst or a higher rate.',
    })
  return { perSecond, burst }
}

/** Bytes: `10m`, `512k`, `1g`, as nginx has them, powers of 1024. */
export function parseSize(text: string): number {
  const [, count, unit = ''] = /^(\d{1,12})\s*([kmg]?)b?$/i.exec(text.trim()) ?? []
  const bytes = Number(count) * 1024 ** ['', 'k', 'm', 'g'].indexOf(unit.toLowerCase())
  if (count === undefined || !Number.isSafeInteger(bytes) || bytes < 1)
    throw invalid(`${JSON.stringify(text)} is no size`, {
      hint: 'Such as: 10m, 512k, 1g; off takes it away.',
    })
  return bytes
}

/** `on`, or codings with the preferred one first. */
export function parseCodings(text: string): SiteCoding[] {
  if (text === 'on') return [...codings]
  const names = text.split(/[\s,]+/).map((name) => (name === 'brotli' ? 'br' : name))
  const unknown = names.find((name) => !codings.includes(name as SiteCoding))
  if (unknown !== undefined)
    throw invalid(`${JSON.stringify(unknown)} is no coding`, {
      hint: 'Give on, off, or some of: zstd,br,gzip',
    })
  return [...new Set(names as SiteCoding[])]
}

/** `on` is a year; else the header's value (RFC 6797 6.1). */
export function parseHsts(text: string): string {
  if (text === 'on') return 'max-age=31536000'
  const directives = text.split(';').map((directive) => directive.trim())
  const known = /^(?:max-age=(?:\d{1,10}|"\d{1,10}")|includeSubDomains|preload)$/i
  const ages = directives.filter((directive) => /^max-age/i.test(directive))
  if (ages.length !== 1 || !directives.every((directive) => known.test(directive)))
    throw invalid(`${JSON.stringify(text)} is no value of Strict-Transport-Security`, {
      hint: 'Such as: on, off, "max-age=63072000; includeSubDomains"',
    })
  return directives.join('; ')
}

export function parseHttpsRedirect(text: string): 'on' | 'off' | undefined {
  if (text === 'auto') return undefined
  if (text === 'on' || text === 'off') return text
  throw invalid(`${JSON.stringify(text)} is no way to redirect to https`, { hint: 'Give auto, on or off.' })
}

export function checkPageName(name: string): EdgePage {
  if (edgePages.includes(name as EdgePage)) return name as EdgePage
  throw invalid(`The edge has no page ${JSON.stringify(name)}`, {
    hint: `There are: ${edgePages.join(', ')}`,
  })
}

export function checkHtml(html: string): string {
  if (html.trim() === '') throw invalid('The page is empty')
  if (Buffer.byteLength(html) > longestPage)
    throw invalid('The page is longer than 64 KiB', { hint: 'Let it load what is large from elsewhere.' })
  return html
}

/** @throws invalid */
export function checkRedirect({ host, path, to, status, keepPath = true }: SiteRedirect): SiteRedirect {
  if (![301, 302, 307, 308].includes(status))
    throw invalid(`${status} is no status of a redirect`, { hint: 'Give 301, 302, 307 or 308.' })
  if (path !== undefined && !/^\/[\x21-\x7e]*$/.test(path))
    throw invalid(`${JSON.stringify(path)} is no path`, { hint: 'It begins with / and is percent-encoded.' })
  if (path !== undefined && /[?#]/.test(path))
    throw invalid('A redirect looks at the path alone', { hint: 'Leave out what begins with ? or #.' })
  const name = host === undefined ? undefined : checkHost(host)
  return { ...(name && { host: name }), ...(path && { path }), to: checkGoal(to), status, keepPath }
}

function checkHost(host: string): string {
  const wildcard = host.startsWith('*.')
  const ascii = domainToASCII(wildcard ? host.slice(2) : host)
  if (!/^[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?$/.test(ascii))
    throw invalid(`${JSON.stringify(host)} is no host`, { hint: 'Such as www.example.com or *.example.com' })
  return wildcard ? `*.${ascii}` : ascii
}

function checkGoal(to: string): string {
  const local = /^\/(?![/\\])[\x21-\x5b\x5d-\x7e]*$/.test(to)
  const url = URL.canParse(to) ? new URL(to) : undefined
  const absolute =
    /^https?:\/\//i.test(to) &&
    /^[\x21-\x5b\x5d-\x7e]+$/.test(to) &&
    url !== undefined &&
    url.username === '' &&
    url.password === ''
  if (!local && !absolute)
    throw invalid(`${JSON.stringify(to)} is nowhere to redirect to`, {
      hint: 'Give a URL with http:// or https://, or a path that begins with one /.',
    })
  return to
}

/** `host`, `/path` or `host/path`. */
export function parseFrom(from: string): Pick<SiteRedirect, 'host' | 'path'> {
  const slash = from.indexOf('/')
  const [host, path] = slash < 0 ? [from, ''] : [from.slice(0, slash), from.slice(slash)]
  return { ...(host !== '' && { host: checkHost(host) }), ...(path !== '' && { path }) }
}
