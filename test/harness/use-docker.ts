/** The docker command line with an image, for a test file. @module */
import { afterAll, beforeAll, expect } from 'vitest'
import { busyboxArchive } from './docker.ts'
import type { Ran, RunOptions } from './run.ts'
import { useDaemon } from './use-daemon.ts'

/** Loaded before the tests; has busybox's programs, and a user `ann`. */
export const image = 'busybox:e2e'

/** A daemon with the image; after the tests no container and no volume may be left. */
export function useDocker() {
  const lab = useDaemon()
  const docker = (...args: string[]): Promise<Ran> => lab.daemon.docker(args)

  /** One that has to work; answers what it printed, without the last line end. */
  async function ok(args: string[], options: RunOptions = {}): Promise<string> {
    const { code, stdout, output } = await lab.daemon.docker(args, options)
    expect(code, `docker ${args.join(' ')}: ${output}`).toBe(0)
    return stdout.trimEnd()
  }

  beforeAll(async () => {
    const archive = await busyboxArchive(lab.daemon.dir, image)
    expect(await ok(['load', '-i', archive])).toBe(`Loaded image: ${image}`)
  })
  afterAll(async () => {
    expect(await ok(['ps', '-aq'])).toBe('')
    expect(await ok(['volume', 'ls', '-q'])).toBe('')
  })
  return { lab, docker, ok }
}
