export { type EdgeConfig, edgeConfig, settingsOf } from './config.ts'
export { createEdge, type Edge, type EdgeOptions } from './edge.ts'
export { edge } from './plugin.ts'
