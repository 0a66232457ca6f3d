import { failed, invalid, notSupported } from '@kernel/contracts'
import type { DockerContext } from './types.ts'

/** What this engine does not offer, answered in the way in which dockerd answers where it does not either. */
export function unsupportedHandlers() {
  /** BuildKit speaks over these; `Builder-Version: 1` of the ping keeps clients from asking. */
  function openSession(context: DockerContext): never {
    if (!context.req.header('upgrade')) throw invalid('no upgrade proto in request')
    throw notSupported('BuildKit is not part of this engine. Set DOCKER_BUILDKIT=0 for the classic builder')
  }

  function cancelBuild(context: DockerContext): never {
    if (!context.req.query('id')) throw failed('build ID not provided')
    throw notSupported('A build is cancelled by closing its connection')
  }

  /** As with a dockerd that is not in experimental mode, whatever is asked for. */
  function checkpoints(): never {
    throw notSupported(
      'Checkpoints are an experimental feature that this engine does not have. Commit the container to keep its files',
    )
  }

  return { openSession, cancelBuild, checkpoints }
}
