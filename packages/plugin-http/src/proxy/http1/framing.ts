/** How long a message's body is, as its head says. RFC 9112 6.3. @module */

/** Bytes; or one of these. */
export type BodyLength = number
export const NO_BODY = 0
export const CHUNKED = -1
/** The body of an answer that ends with its connection. */
export const UNTIL_CLOSE = -2
