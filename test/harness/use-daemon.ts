/** One daemon for a test file. @module */
import { afterAll, beforeAll, beforeEach } from 'vitest'
import { Daemon, type DaemonOptions } from './daemon.ts'

/**
 * Starts a daemon before the tests of the file (or of the `describe` around) and ends it after them; a test that
 * fails shows the end of its log. The answer is there once the tests run.
 */
export function useDaemon(options: DaemonOptions = {}): { readonly daemon: Daemon } {
  let daemon: Daemon | undefined
  beforeAll(async () => {
    daemon = await Daemon.open(options)
  })
  beforeEach(({ onTestFailed, task }) => {
    onTestFailed(() => console.error(`The daemon's log at the end of "${task.name}":\n${daemon?.logTail()}`))
  })
  afterAll(() => daemon?.close())
  return {
    get daemon() {
      if (!daemon) throw new Error('the daemon has not been started yet')
      return daemon
    },
  }
}
