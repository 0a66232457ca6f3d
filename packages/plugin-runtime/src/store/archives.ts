/** Tars that clients copy into containers. @module */
import { stat } from 'node:fs/promises'
import { invalid, problemOf } from '@kernel/contracts'
import type { TreeArchives } from '../parts.ts'
import type { Content } from './content.ts'
import { defaultLimits } from './layers/extract.ts'
import type { LayerPool } from './layers/pool.ts'

/** @param limit bytes of a tar, compressed and not */
export function createArchives(
  { content, pool }: { content: Content; pool: LayerPool },
  limit: number,
): TreeArchives {
  return {
    async unpack(tar, work) {
      const file = await content.spoolUncompressed(tar, { limit })
      try {
        return await work(async (root, into, rules) => {
          // Nothing at all is what some clients send for an empty folder.
          if ((await stat(file)).size === 0) return
          const path = Buffer.from(into.replace(/^\/+|\/+$/g, '')).toString('latin1')
          const limits = { ...defaultLimits, bytes: limit }
          await pool
            .run('merge', { file, root, rules: { into: path, limits, ...rules } })
            .catch((error: unknown) => {
              const problem = problemOf(error)
              if (problem?.kind !== 'invalid') throw error
              const why = problem.message.replace(/^the layer's tar is invalid: /, '')
              throw invalid(`Error processing tar file: ${why}`, { cause: error })
            })
        })
      } finally {
        await content.discard(file)
      }
    },
  }
}
