import type { EngineFacts } from './types.ts'
import { maximumVersion } from './versions.ts'

/** What dockerd sends with every answer, upgraded ones included. */
export function engineHeaders({ version }: Pick<EngineFacts, 'version'>): Record<string, string> {
  return {
    'Api-Version': maximumVersion.text,
    'Docker-Experimental': 'false',
    Ostype: 'linux',
    Server: `kernel/${version} (linux)`,
  }
}
