/**
 * Whiteouts: how a layer says that something of the layers below is gone.
 * Source: OCI image specification, layer.md, "Whiteouts".
 * @module
 */

/** What the name of a whiteout begins with. */
export const WHITEOUT_PREFIX = '.wh.'

/** The file in a folder that hides all that lower layers have in it. */
export const OPAQUE_WHITEOUT = '.wh..wh..opq'

/** The path of the empty file that hides `path` of the layers below: `a/.wh.b` for `a/b`. */
export function whiteoutOf(path: string): string {
  const slash = path.lastIndexOf('/') + 1
  return `${path.slice(0, slash)}${WHITEOUT_PREFIX}${path.slice(slash)}`
}
