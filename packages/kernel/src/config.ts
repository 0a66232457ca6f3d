import { readFile } from 'node:fs/promises'
import { describeError, KernelError } from './errors.ts'
import type { Plugin } from './plugin.ts'
import type { SchemaIssue, SchemaResult } from './schema.ts'

export interface PluginConfig {
  /** Names of npm packages, each with a plugin as its default export. */
  plugins: string[]
  /** Settings by the name of the plugin (not of its package). */
  config: Record<string, unknown>
}

/**
 * Reads a JSON file of the shape `{ "plugins": ["@acme/kernel-mail"], "config": { "mail": { ... } } }`.
 *
 * @throws KernelError `CONFIG_UNREADABLE`, or as {@link parsePluginConfig}.
 */
export async function readPluginConfig(file: string): Promise<PluginConfig> {
  let document: unknown
  try {
    document = JSON.parse(await readFile(file, 'utf8'))
  } catch (cause) {
    throw new KernelError('CONFIG_UNREADABLE', `Cannot read ${file}: ${describeError(cause)}`, { cause })
  }
  return parsePluginConfig(document, file)
}

/** The same from a document that came from `source`; both parts may be absent. Throws KernelError `CONFIG_INVALID`. */
export function parsePluginConfig(document: unknown, source: string): PluginConfig {
  const refuseIf = (refused: boolean, what: string) => {
    if (refused) throw new KernelError('CONFIG_INVALID', `${source}: ${what}`)
  }
  const isRecord = (value: unknown) => typeof value === 'object' && value !== null && !Array.isArray(value)
  const isNames = (value: unknown) => Array.isArray(value) && value.every((name) => typeof name === 'string')
  refuseIf(!isRecord(document), 'must be an object with "plugins" and "config"')
  const { plugins = [], config = {}, ...others } = document as Partial<PluginConfig>
  for (const key of Object.keys(others))
    refuseIf(true, `"${key}" is not known. ${suggest(key, ['plugins', 'config'])}`)
  refuseIf(!isNames(plugins), '"plugins" must be a list of package names')
  refuseIf(!isRecord(config), '"config" must be an object with a section for each plugin')
  return { plugins, config }
}

/**
 * Refuses settings that no plugin would ever read, which are most often a slip of the pen.
 *
 * @throws KernelError `CONFIG_UNKNOWN_SECTION`, naming the nearest known plugin.
 */
export function assertKnownSections(
  config: Record<string, unknown>,
  plugins: readonly { name: string }[],
): void {
  const known = plugins.map(({ name }) => name)
  const unknown = Object.keys(config).find((section) => !known.includes(section))
  if (unknown === undefined) return
  const hint = known.length > 0 ? suggest(unknown, known) : 'No plugin is loaded.'
  throw new KernelError(
    'CONFIG_UNKNOWN_SECTION',
    `There are settings for "${unknown}", which is no plugin. ${hint}`,
  )
}

/**
 * What the schema of the plugin makes of its settings; `{}` stands for absent ones.
 *
 * @throws KernelError `CONFIG_INVALID` with every problem and its path, and not with the value: it may be secret.
 */
export async function validateConfig({ name, config: schema }: Plugin, settings: unknown): Promise<unknown> {
  const refuse = (problems: string, cause?: unknown): never => {
    const message = `The settings of plugin "${name}" are not valid:${problems}`
    throw new KernelError('CONFIG_INVALID', message, { plugin: name, cause })
  }
  if (schema === undefined) return settings === undefined ? undefined : refuse(' it has no settings')
  let result: SchemaResult<unknown>
  try {
    result = await schema['~standard'].validate(settings ?? {})
  } catch (cause) {
    return refuse(` its schema failed: ${describeError(cause)}`, cause)
  }
  return result.issues
    ? refuse(result.issues.map((issue) => describeIssue(name, issue)).join(''))
    : result.value
}

function describeIssue(plugin: string, { message, path = [] }: SchemaIssue): string {
  const keys = path.map((segment) => (typeof segment === 'object' ? segment.key : segment))
  const steps = keys.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`))
  return `\n  ${plugin}${steps.join('')}: ${message}`
}

/** Names what is known and takes the fewest letters to change. */
function suggest(name: string, known: readonly string[]): string {
  const [nearest] = known.toSorted((a, b) => editDistance(name, a) - editDistance(name, b))
  return `Did you mean "${nearest}"?`
}

/** Levenshtein's distance, row by row. */
function editDistance(a: string, b: string): number {
  let above = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (const [i, letter] of [...a].entries()) {
    const row = [i + 1]
    for (let j = 0; j < b.length; j++) {
      row.push(Math.min(above[j]! + Number(letter !== b[j]), above[j + 1]! + 1, row[j]! + 1))
    }
    above = row
  }
  return above[b.length]!
}
