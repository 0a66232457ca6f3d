/** The HTTP server, Docker's API, the product's API and the edge: one plugin each. @module */
export { http, http as default } from './http-plugin.ts'
