/** Every failure the kernel reports, with its meaning; the reference page of error codes is checked against this. */
export const errorCodes = {
  CONFIG_INVALID:
    'The settings of a plugin do not match its schema, or the file does not have the expected shape.',
  CONFIG_UNKNOWN_SECTION: 'The configuration has settings for a plugin that is not loaded.',
  CONFIG_UNREADABLE: 'The configuration file cannot be read or is not valid JSON.',
  DEPENDENCY_CYCLE: 'Plugins require each other in a circle, so none of them can start first.',
  HOOK_FAILED: 'A handler threw, or returned nothing where a value is due; plugin and hook are named.',
  HOOK_KIND_MISMATCH: 'Two hook tokens have the same name but different kinds.',
  HOOK_ORDER_CYCLE: 'The before and after names of the handlers of one hook contradict each other.',
  KERNEL_STATE: 'The kernel was asked for something out of turn, such as starting it twice.',
  PLUGIN_DUPLICATE: 'Two plugins have the same name.',
  PLUGIN_INCOMPATIBLE: 'The plugin was made for another version of the kernel.',
  PLUGIN_INVALID: 'A package has no plugin as its default export, or the manifest is malformed.',
  PLUGIN_LOAD_FAILED: 'The package of a plugin has no entry, or its module threw while it was imported.',
  PLUGIN_NOT_FOUND: 'No package of this name can be resolved from the directory of the configuration.',
  PLUGIN_SETUP_OVER: 'Something that belongs in setup was called after setup had ended.',
  PLUGIN_START_FAILED: 'A plugin threw while it started.',
  PLUGIN_START_TIMEOUT: 'A plugin did not start in its time.',
  PLUGIN_STOPPED: 'A plugin used its context after it had stopped.',
  PLUGIN_STOP_FAILED: 'A cleanup of a plugin threw while it stopped; the other cleanups ran.',
  PLUGIN_STOP_TIMEOUT:
    'A plugin did not stop in its time; its remaining cleanups were begun without waiting.',
  SERVICE_DUPLICATE: 'Two plugins provide the same service, or one plugin provides it twice.',
  SERVICE_MISSING: 'A plugin requires a service that no enabled plugin provides.',
  SERVICE_NOT_PROVIDED: 'A service was asked for, or promised by a manifest, and nobody has provided it.',
  SERVICE_UNDECLARED: 'A plugin uses or provides a service that its manifest does not declare.',
} as const satisfies Record<string, string>

export type ErrorCode = keyof typeof errorCodes
export type Blame = { plugin?: string; hook?: string; cause?: unknown }

/** A failure that names the plugin and the hook it happened in. What was thrown stays untouched in `cause`. */
export class KernelError extends Error {
  override readonly name = 'KernelError'
  readonly code: ErrorCode
  readonly plugin: string | undefined
  readonly hook: string | undefined

  constructor(code: ErrorCode, message: string, blame: Blame = {}) {
    super(message, blame)
    this.code = code
    this.plugin = blame.plugin
    this.hook = blame.hook
  }
}

/** What somebody threw, whatever it was, as words for a message. */
export const describeError = (error: unknown) => (error instanceof Error ? error.message : String(error))

/** What the plugin threw, beneath every layer of blame: the error to choose a message or a status code by. */
export function originalError(error: unknown): unknown {
  let original = error
  while (original instanceof KernelError && original.cause !== undefined) original = original.cause
  return original
}
