import { createRequire, registerHooks } from 'node:module'
import { isAbsolute, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describeError, type ErrorCode, KernelError } from './errors.ts'
import { assertPlugin, type Plugin } from './plugin.ts'
import { assertCompatible, kernelVersion } from './version.ts'

export interface LoadOptions {
  /** Absolute directory, that of the configuration file: packages are looked for in its `node_modules` and above. */
  from: string
  /** The version that the range of a plugin has to admit; that of this package unless told. */
  version?: string
}

/** Loads in the order of the names and stops at the first that cannot be loaded. Errors as {@link loadPlugin}. */
export async function loadPlugins(names: readonly string[], options: LoadOptions): Promise<Plugin[]> {
  const plugins: Plugin[] = []
  for (const name of names) plugins.push(await loadPlugin(name, options))
  return plugins
}

/**
 * Imports the npm package `name` and returns the plugin it has as its default export.
 *
 * @throws KernelError `PLUGIN_NOT_FOUND`, `PLUGIN_LOAD_FAILED`, `PLUGIN_INVALID` or `PLUGIN_INCOMPATIBLE`.
 */
export async function loadPlugin(
  name: string,
  { from, version = kernelVersion }: LoadOptions,
): Promise<Plugin> {
  const file = resolvePackage(name, from)
  const loaded = await import(pathToFileURL(file).href).catch((cause) => {
    throw loadError('PLUGIN_LOAD_FAILED', name, `fails while it is imported: ${describeError(cause)}`, cause)
  })
  const plugin: unknown = loaded.default
  assertPlugin(plugin, `Package "${name}" (${file})`)
  assertCompatible(plugin, version)
  return plugin
}

/** As `import` would resolve it from within `from`; `import.meta.resolve` knows no other place than its own. */
function resolvePackage(name: string, from: string): string {
  const importRules = registerHooks({
    resolve: (specifier, { conditions, ...context }, next) =>
      next(specifier, {
        ...context,
        conditions: ['import', ...conditions.filter((each) => each !== 'require')],
      }),
  })
  try {
    const file = createRequire(join(from, 'package.json')).resolve(name)
    if (isAbsolute(file)) return file // and not one of Node's own modules
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') {
      throw loadError(
        'PLUGIN_LOAD_FAILED',
        name,
        `is installed, but has no entry: ${describeError(cause)}`,
        cause,
      )
    }
  } finally {
    importRules.deregister()
  }
  throw loadError(
    'PLUGIN_NOT_FOUND',
    name,
    `is not installed. Install it with: npm install --prefix ${from} ${name}`,
  )
}

function loadError(code: ErrorCode, name: string, what: string, cause?: unknown): KernelError {
  return new KernelError(code, `Plugin package "${name}" ${what}`, { plugin: name, cause })
}
