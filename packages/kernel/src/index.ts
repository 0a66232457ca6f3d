/** The microkernel: hooks, services, plugins. It knows neither Git nor HTTP nor containers. */
export {
  assertKnownSections,
  type PluginConfig,
  parsePluginConfig,
  readPluginConfig,
  validateConfig,
} from './config.ts'
export {
  type Blame,
  describeError,
  type ErrorCode,
  errorCodes,
  KernelError,
  originalError,
} from './errors.ts'
export {
  type Answer,
  type AnyHook,
  type CallHook,
  type Calls,
  defineHook,
  type Handlers,
  type Hook,
  type HookKind,
  type HookOptions,
  type OnHook,
} from './hook.ts'
export {
  createKernel,
  type Kernel,
  type KernelOptions,
  type PluginEntry,
  type PluginReport,
  type PluginState,
} from './kernel.ts'
export { type LoadOptions, loadPlugin, loadPlugins } from './loader.ts'
export { type Logger, type LogLine, scopeLogger } from './log.ts'
export { definePlugin, type Plugin, type PluginContext, type PluginManifest } from './plugin.ts'
export type { HookCall } from './registry.ts'
export type { ConfigOf, SchemaIssue, SchemaResult, StandardSchema } from './schema.ts'
export { type AnyService, defineService, type ServiceOf, type ServiceToken } from './service.ts'
export { kernelVersion, satisfies } from './version.ts'
