/**
 * The HTTP server, Docker's API, the product's API and the edge: one plugin each, so that none of them
 * stands in another's way at start. The server needs nobody and comes first; the APIs need nearly everybody.
 * @module
 */
export { api } from './apps/api-plugin.ts'
export { dockerApi } from './docker/docker-plugin.ts'
export { httpStatusOf } from './errors.ts'
export { server } from './http-plugin.ts'
export { edge } from './proxy/index.ts'
