/** The edge: listener threads that lead visitors to apps. @module */
export { edgeConfig, settingsOf } from './config.ts'
export { createEdge } from './edge.ts'
export { edge } from './plugin.ts'
