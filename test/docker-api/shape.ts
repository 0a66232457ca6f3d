/** The shape of a JSON value: keys and types, as far as they say something about the engine. @module */

export type Shape = string | Shape[] | { [key: string]: Shape }

/** Objects whose keys are data: one entry stands for all. By the key under which they lie. */
const maps = new Set([
  ...['Labels', 'Networks', 'Ports', 'ExposedPorts', 'Volumes', 'Options', 'DriverOpts', 'Sysctls'],
  ...[
    'Tmpfs',
    'PortBindings',
    'Runtimes',
    'IndexConfigs',
    'Containers',
    'Attributes',
    'Config.Labels',
    'Data',
    'networks',
  ],
])

/** What stands for lists of which nothing is known, and for null. */
const NOTHING = 'null'

export function shapeOf(value: unknown, key = ''): Shape {
  if (value === null) return NOTHING
  if (Array.isArray(value)) return value.length === 0 ? [] : [merge(value.map((item) => shapeOf(item, key)))]
  if (typeof value !== 'object') return typeof value
  const entries = Object.entries(value)
  if (maps.has(key))
    return entries.length === 0 ? {} : { '*': merge(entries.map(([, item]) => shapeOf(item))) }
  return Object.fromEntries(entries.map(([name, item]) => [name, shapeOf(item, name)]))
}

/** One shape for the items of a list: fields of all of them. */
function merge(shapes: Shape[]): Shape {
  const objects = shapes.filter(isObject)
  if (objects.length === shapes.length) return Object.assign({}, ...objects) as Shape
  return shapes.find((shape) => shape !== NOTHING) ?? NOTHING
}

/** JSON, or the lines of a stream of it; undefined where it is none. */
export function parseBody(text: string, isStream = false): unknown {
  const parse = (part: string): unknown => {
    try {
      return JSON.parse(part)
    } catch {
      return undefined
    }
  }
  const whole = parse(text)
  if (whole !== undefined && !isStream) return whole
  const lines = text.split(/\r?\n/).filter(Boolean).map(parse)
  return lines.length > 0 && !lines.includes(undefined) ? lines : undefined
}

/**
 * Where two shapes differ, as paths: `State.Pid: number, ours string`; `-x` is a field that only the first has, `+x`
 * one that only the second has. Of an empty list or map nothing is known.
 */
export function differences(theirs: Shape, ours: Shape, path = ''): string[] {
  if (Array.isArray(theirs) && Array.isArray(ours))
    return theirs.length === 0 || ours.length === 0 ? [] : differences(theirs[0]!, ours[0]!, `${path}[]`)
  if (isObject(theirs) && isObject(ours)) {
    if ('*' in theirs || '*' in ours) {
      const [a, b] = [theirs['*'], ours['*']]
      return a === undefined || b === undefined ? [] : differences(a, b, `${path}.*`)
    }
    return Object.keys({ ...theirs, ...ours }).flatMap((name) => {
      const inner = path === '' ? name : `${path}.${name}`
      const [a, b] = [theirs[name], ours[name]]
      if (a === undefined) return [`+${inner}`]
      return b === undefined ? [`-${inner}`] : differences(a, b, inner)
    })
  }
  if (JSON.stringify(theirs) === JSON.stringify(ours)) return []
  return [`${path || 'body'}: ${brief(theirs)}, ours ${brief(ours)}`]
}

const brief = (shape: Shape) => (typeof shape === 'string' ? shape : Array.isArray(shape) ? 'list' : 'object')

function isObject(shape: Shape): shape is { [key: string]: Shape } {
  return typeof shape === 'object' && !Array.isArray(shape)
}
