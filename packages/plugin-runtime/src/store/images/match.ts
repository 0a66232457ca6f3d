/**
 * Docker's reference patterns. Source: distribution/reference, `FamiliarMatch`, which is Go's `path.Match`.
 * @module
 */

/** Whether `pattern` fits the name with its tag, or without. */
export function isMatch(name: string, pattern: string): boolean {
  const glob = toRegExp(pattern)
  if (glob.test(name)) return true
  const at = name.indexOf('@')
  const bare = at >= 0 ? name.slice(0, at) : name
  const colon = bare.lastIndexOf(':')
  return glob.test(colon > bare.lastIndexOf('/') ? bare.slice(0, colon) : bare)
}

/** `*` and `?` never match a slash; `[a-z]` and `[^a-z]` are classes; `\` takes the meaning away. */
function toRegExp(pattern: string): RegExp {
  const source = pattern.replace(
    /\\(.)|\[(\^?)((?:\\.|[^\]\\])+)\]|([\s\S])/g,
    (_, escaped, not, set, char) => {
      if (escaped !== undefined) return quote(escaped)
      if (set !== undefined) return `[${not}${set.replace(/\[/g, '\\[')}]`
      return char === '*' ? '[^/]*' : char === '?' ? '[^/]' : quote(char)
    },
  )
  return new RegExp(`^${source}$`)
}

const quote = (text: string) => text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')
