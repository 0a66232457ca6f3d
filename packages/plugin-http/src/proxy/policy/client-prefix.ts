/** Who counts as one visitor. @module */

/**
 * An IPv4 address as it is; of IPv6 the first 64 bits, since a household or a server has at least as many addresses.
 * `::ffff:192.0.2.1` is `192.0.2.1`. What is no address stays as it is.
 */
export function clientPrefix(address: string): string {
  if (!address.includes(':')) return address
  const [text = ''] = address.toLowerCase().split('%', 1)
  const mapped = /^(?:0{0,4}:){2,5}ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(text)?.[1]
  if (mapped !== undefined) return mapped
  const [left = '', right] = text.split('::', 2)
  const head = groupsOf(left)
  const tail = groupsOf(right ?? '')
  const width = tail.length + (right?.includes('.') ? 1 : 0)
  const zeros = right === undefined ? 0 : Math.max(0, 8 - head.length - width)
  return [...head, ...Array<string>(zeros).fill('0'), ...tail].slice(0, 4).join(':')
}

/** Without leading zeros, so that one address has one form. */
const groupsOf = (part: string): string[] =>
  part === '' ? [] : part.split(':').map((group) => group.replace(/^0+(?=.)/, ''))
