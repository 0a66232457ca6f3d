// The route table: one writer builds a table in whichever of two arenas readers do not use, and publishes it by one
// atomic store. Readers in other threads run `lookup` over the same shared memory, and verify afterwards that the
// writer did not overtake them.

export {
  ARENAS, ARENA_SLACK, DUPLICATE, GENERATION_AT, HOST_INPUT, MAGIC, MAGIC_AT, NOT_FOUND, OK, OWNERS_AT, PATH_INPUT,
  READERS, READER_AREA, READER_BYTES, RESULT_GENERATION, RESULT_LENGTH, RESULT_OFFSET, RETRY, ROUTE_RECORD,
} from './route-table'
export { intact, locate, lookup } from './route-lookup'
export { begin, build, commit, currentBase, currentLength, duplicate, routesAt } from './route-build'
