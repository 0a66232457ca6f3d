import { KernelError } from './errors.ts'
import type { Plugin } from './plugin.ts'

/** The version of the plugin API, not of the product. */
export const kernelVersion = '1.0.0'

type Triple = readonly number[]
/** From the first version, inclusive, to the second, exclusive. */
type Span = readonly [from: Triple, below: Triple]

const comparator = /^(\^|~|>=|<=|>|<|=)?v?(\d+|[xX*])(?:\.(\d+|[xX*])(?:\.(\d+|[xX*])(?:[-+][\w.+-]+)?)?)?$/
const zero: Triple = [0, 0, 0]
const infinite: Triple = [Number.POSITIVE_INFINITY, 0, 0]

/**
 * Whether `version` is in the semver `range` (https://github.com/npm/node-semver#ranges): `^`, `~`, comparisons,
 * x-ranges, `a - b`, `||`. Pre-release tags take no part: a plugin for `^2` may be tried on `2.0.0-beta.1`.
 *
 * @throws KernelError `PLUGIN_INVALID` where one of them is not of that form.
 */
export function satisfies(version: string, range: string): boolean {
  const exact = /^v?(\d+)\.(\d+)\.(\d+)(?:[-+]|$)/.exec(version)?.slice(1).map(Number)
  if (exact === undefined)
    throw new KernelError('PLUGIN_INVALID', `"${version}" is not a version such as "1.2.3"`)
  const alternatives = range.split('||').map((alternative) => {
    const plain = alternative.replace(/(\S+)\s+-\s+(\S+)/g, '>=$1 <=$2').replace(/([\^~<>=])\s+/g, '$1')
    return plain.split(/\s+/).flatMap((text) => (text === '' ? [] : [parseComparator(text, range)]))
  })
  const within = ([from, below]: Span) => compare(exact, from) >= 0 && compare(exact, below) < 0
  return alternatives.some((spans) => spans.every(within))
}

function parseComparator(text: string, range: string): Span {
  const match = comparator.exec(text)
  if (match === null) throw new KernelError('PLUGIN_INVALID', `"${range}" is not a semver range such as "^1"`)
  const [, operator = '=', ...parts] = match
  const wildcard = [...parts.map(Number), Number.NaN].findIndex(Number.isNaN)
  const last = wildcard - 1
  const low = zero.map((_, index) => (index < wildcard ? Number(parts[index]) : 0))
  const leading = low.findIndex((part) => part > 0)
  const spans: Record<string, Span> = {
    '=': [low, raise(low, last)],
    '^': [low, raise(low, leading < 0 ? last : leading)],
    '~': [low, raise(low, Math.min(1, last))],
    '>=': [low, infinite],
    '<': [zero, low],
    '>': [raise(low, last), infinite],
    '<=': [zero, raise(low, last)],
  }
  return spans[operator] as Span
}

/** One more at `index` and zeros behind it; above everything where no number was given (`*`). */
function raise(triple: Triple, index: number): Triple {
  return index < 0 ? infinite : triple.map((part, at) => (at < index ? part : at === index ? part + 1 : 0))
}

function compare(a: Triple, b: Triple): number {
  return a[0]! - b[0]! || a[1]! - b[1]! || a[2]! - b[2]!
}

/** @throws KernelError `PLUGIN_INCOMPATIBLE` or, where its range makes no sense, `PLUGIN_INVALID`. */
export function assertCompatible({ name, version, kernel }: Plugin, running: string): void {
  if (satisfies(running, kernel)) return
  const message = `Plugin "${name}" ${version} was made for kernel ${kernel}, but this is kernel ${running}. Install a version of the plugin for this kernel.`
  throw new KernelError('PLUGIN_INCOMPATIBLE', message, { plugin: name })
}
