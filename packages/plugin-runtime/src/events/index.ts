/** The event stream: live, with replay of what was kept. @module */
export { createEvents, type EventsOptions } from './events.ts'
