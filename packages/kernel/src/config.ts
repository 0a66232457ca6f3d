/**
 * Which packages to load as plugins and the settings of each plugin, as the operator wrote them.
 *
 * @module
 */
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

/**
 * The same from a document that is parsed already; both parts may be absent.
 *
 * @param source where it came from, for the message.
 * @throws KernelError `CONFIG_INVALID`, naming what is wrong.
 */
export function parsePluginConfig(document: unknown, source: string): PluginConfig {
  const refuse = (what: string): never => {
    throw new KernelError('CONFIG_INVALID', `${source}: ${what}`)
  }
  if (!isRecord(document)) return refuse('must be an object with "plugins" and "config"')
  const known = ['plugins', 'config']
  const unknown = Object.keys(document).find((key) => !known.includes(key))
  if (unknown !== undefined) refuse(`"${unknown}" is not known. Did you mean "${nearest(unknown, known)}"?`)
  const { plugins = [], config = {} } = document
  if (!Array.isArray(plugins) || !plugins.every((name) => typeof name === 'string')) {
    return refuse('"plugins" must be a list of package names')
  }
  if (!isRecord(config)) return refuse('"config" must be an object with a section for each plugin')
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
  const hint = known.length > 0 ? `Did you mean "${nearest(unknown, known)}"?` : 'No plugin is loaded.'
  throw new KernelError(
    'CONFIG_UNKNOWN_SECTION',
    `There are settings for "${unknown}", which is no plugin. ${hint}`,
  )
}

/**
 * What the schema of the plugin makes of its settings; `{}` stands for absent ones.
 *
 * @throws KernelError `CONFIG_INVALID` with a line for every problem, each with its path and never with the value,
 * which may be a secret.
 */
export async function validateConfig({ name, config: schema }: Plugin, settings: unknown): Promise<unknown> {
  const refuse = (problems: string[], cause?: unknown): never => {
    const message = `The settings of plugin "${name}" are not valid:\n${problems.map((line) => `  ${line}`).join('\n')}`
    throw new KernelError('CONFIG_INVALID', message, { plugin: name, cause })
  }
  if (schema === undefined)
    return settings === undefined ? undefined : refuse([`${name}: it has no settings`])
  let result: SchemaResult<unknown>
  try {
    result = await schema['~standard'].validate(settings ?? {})
  } catch (cause) {
    return refuse([`${name}: its schema failed: ${describeError(cause)}`], cause)
  }
  return result.issues ? refuse(result.issues.map((issue) => describeIssue(name, issue))) : result.value
}

function describeIssue(plugin: string, { message, path = [] }: SchemaIssue): string {
  const keys = path.map((segment) => (typeof segment === 'object' ? segment.key : segment))
  const steps = keys.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`))
  return `${plugin}${steps.join('')}: ${message}`
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The name with the fewest letters to change. */
function nearest(name: string, known: readonly string[]): string | undefined {
  const byDistance = known.toSorted((a, b) => editDistance(name, a) - editDistance(name, b))
  return byDistance[0]
}

/** Levenshtein's distance, row by row. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (const [i, letter] of [...a].entries()) {
    const above = row
    row = [i + 1]
    for (let j = 0; j < b.length; j++) {
      const changed = above[j]! + (letter === b[j] ? 0 : 1)
      row.push(Math.min(changed, above[j + 1]! + 1, row[j]! + 1))
    }
  }
  return row[b.length]!
}
