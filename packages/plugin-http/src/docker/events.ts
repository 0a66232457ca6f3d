import type { EngineEvent } from '@kernel/contracts'
import { stringifyJson } from '../json.ts'
import { streamBody } from '../server/stream-body.ts'
import { parseTime } from '../times.ts'
import { assertKnown, type Filters, queryFilters } from './filters.ts'
import type { DockerContext, DockerServices } from './types.ts'

const knownFilters = [
  'config',
  'container',
  'daemon',
  'event',
  'image',
  'label',
  'network',
  'node',
  'plugin',
  'scope',
  'secret',
  'service',
  'type',
  'volume',
]
/** The product's own events are its API's; Docker's clients would not know what they are. */
const dockerTypes = ['builder', 'container', 'daemon', 'image', 'network', 'plugin', 'volume']

/** `GET /events`: JSON lines, each sent as it happens. */
export function eventHandlers({ events }: Pick<DockerServices, 'events'>) {
  function streamEvents(context: DockerContext): Response {
    const filters = queryFilters(context)
    assertKnown(filters, knownFilters)
    const since = parseTime(context.req.query('since'))
    const until = parseTime(context.req.query('until'))
    const subscription = events.subscribe({ since, until, signal: context.env.signal })
    async function* lines() {
      for await (const event of subscription)
        if (dockerTypes.includes(event.Type) && matches(event, filters))
          yield `${stringifyJson(legacy(event))}\n`
    }
    return new Response(streamBody(lines()), { headers: { 'Content-Type': 'application/json' } })
  }
  return { streamEvents }
}

/** Until 1.51 events of containers and images also have the fields of the first versions. */
function legacy(event: EngineEvent): object {
  if (event.Type !== 'container' && event.Type !== 'image') return event
  const from = event.Type === 'container' ? event.Actor.Attributes.image : undefined
  return { status: event.Action, id: event.Actor.ID, ...(from && { from }), ...event }
}

/** Whether an event passes; values of one filter are alternatives, filters add up (moby, daemon/events/filter.go). */
export function matches({ Type, Action, Actor, scope }: EngineEvent, filters: Filters): boolean {
  const { ID, Attributes } = Actor
  const any = (name: string, test: (value: string) => boolean) => filters[name]?.some(test) ?? true
  const actor = (name: string) =>
    any(name, (value) => ID.startsWith(value) || (Attributes.name ?? '').startsWith(value))
  const image = Type === 'container' ? (Attributes.image ?? '') : (Attributes.name ?? '')
  return (
    any('event', (value) => Action === value || Action.startsWith(`${value}:`)) &&
    any('type', (value) => Type === value) &&
    any('scope', (value) => scope === value) &&
    any('image', (value) => [ID, image, withoutTag(ID), withoutTag(image)].includes(value)) &&
    (filters.label ?? []).every((label) => hasLabel(Attributes, label)) &&
    ['config', 'container', 'daemon', 'network', 'node', 'plugin', 'secret', 'service', 'volume'].every(actor)
  )
}

function withoutTag(reference: string): string {
  return reference.replace(/:[^:/]+$/, '')
}

function hasLabel(attributes: Record<string, string>, label: string): boolean {
  const [name = '', ...value] = label.split('=')
  return value.length === 0 ? name in attributes : attributes[name] === value.join('=')
}
