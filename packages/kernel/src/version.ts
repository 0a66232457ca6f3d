/**
 * The version of the kernel, and the semver ranges plugins state it by (https://github.com/npm/node-semver#ranges).
 * Pre-release tags take no part: a plugin for `^2` may be tried on `2.0.0-beta.1`.
 *
 * @module
 */
import { KernelError } from './errors.ts'
import type { Plugin } from './plugin.ts'

/** The version of the plugin API, not of the product. */
export const kernelVersion = '1.0.0'

type Triple = readonly [major: number, minor: number, patch: number]
type Test = (version: Triple) => boolean

const comparator = /^(\^|~|>=|<=|>|<|=)?v?(\d+|[xX*])(?:\.(\d+|[xX*])(?:\.(\d+|[xX*])(?:[-+][\w.+-]+)?)?)?$/

/**
 * Whether `version` is in `range`: `^`, `~`, comparisons, x-ranges, `a - b`, and `||` are known.
 *
 * @throws KernelError `PLUGIN_INVALID` where one of them is not of that form.
 */
export function satisfies(version: string, range: string): boolean {
  const exact = /^v?(\d+)\.(\d+)\.(\d+)(?:[-+]|$)/.exec(version)
  if (exact === null) throw new KernelError('PLUGIN_INVALID', `"${version}" is not a version such as "1.2.3"`)
  const triple: Triple = [Number(exact[1]), Number(exact[2]), Number(exact[3])]
  const alternatives = range.split('||').map((alternative) => parseAlternative(alternative, range))
  return alternatives.some((tests) => tests.every((test) => test(triple)))
}

function parseAlternative(alternative: string, range: string): Test[] {
  const comparators = alternative
    .replace(/(\S+)\s+-\s+(\S+)/g, '>=$1 <=$2')
    .replace(/([\^~<>=])\s+/g, '$1')
    .trim()
  return comparators === '' ? [] : comparators.split(/\s+/).map((text) => parseComparator(text, range))
}

function parseComparator(text: string, range: string): Test {
  const match = comparator.exec(text)
  if (match === null) throw new KernelError('PLUGIN_INVALID', `"${range}" is not a semver range such as "^1"`)
  const [, operator = '=', ...parts] = match
  const numbers = parts.map(Number)
  const given = numbers.findIndex(Number.isNaN)
  const last = (given === -1 ? 3 : given) - 1
  const [low, next] = bounds(numbers, last)
  const firstNonZero = low.findIndex((part) => part > 0)
  const caret = firstNonZero === -1 ? last : Math.min(firstNonZero, last)
  const tests: Record<string, Test> = {
    '=': (version) => compare(version, low) >= 0 && compare(version, next) < 0,
    '^': (version) => compare(version, low) >= 0 && compare(version, raise(low, caret)) < 0,
    '~': (version) => compare(version, low) >= 0 && compare(version, raise(low, Math.min(1, last))) < 0,
    '>=': (version) => compare(version, low) >= 0,
    '<': (version) => compare(version, low) < 0,
    '>': (version) => compare(version, next) >= 0,
    '<=': (version) => compare(version, next) < 0,
  }
  return tests[operator] as Test
}

/** The first version a partial one such as `1.2` stands for, and the first above them. */
function bounds(numbers: readonly number[], last: number): [low: Triple, next: Triple] {
  const low = [0, 1, 2].map((index) => (index <= last ? numbers[index] : 0)) as unknown as Triple
  return [low, raise(low, last)]
}

/** One more at `index` and zeros behind it; above everything where no number was given (`*`). */
function raise(triple: Triple, index: number): Triple {
  if (index < 0) return [Number.POSITIVE_INFINITY, 0, 0]
  return triple.map((part, at) => (at < index ? part : at === index ? part + 1 : 0)) as unknown as Triple
}

function compare(a: Triple, b: Triple): number {
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2]
}

/** @throws KernelError `PLUGIN_INCOMPATIBLE` or, where its range makes no sense, `PLUGIN_INVALID`. */
export function assertCompatible({ name, version, kernel }: Plugin, running: string): void {
  if (satisfies(running, kernel)) return
  const message = `Plugin "${name}" ${version} was made for kernel ${kernel}, but this is kernel ${running}. Install a version of the plugin for this kernel.`
  throw new KernelError('PLUGIN_INCOMPATIBLE', message, { plugin: name })
}
