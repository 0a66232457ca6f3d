import { invalid, notFound, notSupported } from '@kernel/contracts'
import { assertKnown, queryFilters } from './filters.ts'
import { answerJson } from './json.ts'
import { intQuery, pathName } from './queries.ts'
import type { DockerContext } from './types.ts'

/**
 * Docker's managed plugins: there are none, and none can be installed; this engine is extended by its own
 * plugins. Whoever asks for one by name is told that it is not there, as dockerd tells it.
 */
export function pluginHandlers() {
  function listPlugins(context: DockerContext): Response {
    assertKnown(queryFilters(context), ['enabled', 'capability'])
    return answerJson([])
  }

  function noPlugin(context: DockerContext): never {
    throw notFound(`plugin "${pathName(context, 'name')}" not found`)
  }

  function enablePlugin(context: DockerContext): never {
    if (intQuery(context, 'timeout') === undefined) throw invalid('strconv.Atoi: parsing "": invalid syntax')
    return noPlugin(context)
  }

  function refusePlugin(): never {
    throw notSupported('Docker’s managed plugins can’t be installed in this engine')
  }

  return { listPlugins, noPlugin, enablePlugin, refusePlugin }
}
