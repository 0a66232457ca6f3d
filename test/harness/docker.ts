/** The real docker command line, and an image that needs no registry. @module */
import { findProgram } from './host.ts'

/** The one on the PATH. @throws where there is none */
export function dockerCommand(): string {
  const docker = findProgram('docker')
  if (!docker) throw new Error('There is no docker command line here.')
  return docker
}
