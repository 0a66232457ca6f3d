export interface LogPosition {
  file: string
  /** Bytes from the start of the file. */
  offset: number
}
/**
 * The position from which exactly the last `count` whole lines (pieces rejoined, both streams counted
 * together) follow. Reads backwards, so that a long log costs no more than its tail.
 * @param files oldest first
 * @param wanted which streams count
 */
export declare function tailPosition(
  files: string[],
  count: number,
  wanted: (stream: 1 | 2) => boolean,
): LogPosition | undefined
