/** The event stream: live, with replay of what was kept. @module */
export { createEvents } from './events.ts'
