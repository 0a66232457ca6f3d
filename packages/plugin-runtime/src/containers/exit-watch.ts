/** Exit codes, as conmon writes them: a file for each container in one folder, seen by one inotify watch. @module */
import fs from 'node:fs'
import { join } from 'node:path'

export interface ExitWatch {
  /** Calls `handler` once with the exit code of the container, also where it has ended already. */
  expect(id: string, handler: (exitCode: number) => void): void
  /** The exit code of a container, where its file is there. */
  read(id: string): number | undefined
  /** Removes the file, before the container is started again. */
  clear(id: string): void
  close(): void
}

/** @param dir exists */
export function watchExits(dir: string): ExitWatch {
  const handlers = new Map<string, (exitCode: number) => void>()

  function read(id: string): number | undefined {
    try {
      const text = fs.readFileSync(join(dir, id), 'utf8').trim()
      return /^-?\d+$/.test(text) ? Number(text) : undefined
    } catch {
      return undefined
    }
  }

  function check(id: string): void {
    const handler = handlers.get(id)
    if (!handler) return
    const exitCode = read(id)
    if (exitCode === undefined) return
    handlers.delete(id)
    handler(exitCode)
  }

  const watcher = fs.watch(dir, (_event, name) => {
    if (name !== null) check(name)
    else for (const id of handlers.keys()) check(id) // the queue of inotify ran over
  })

  return {
    expect: (id, handler) => {
      handlers.set(id, handler)
      queueMicrotask(() => check(id))
    },
    read,
    clear: (id) => {
      handlers.delete(id)
      fs.rmSync(join(dir, id), { force: true })
    },
    close: () => {
      handlers.clear()
      watcher.close()
    },
  }
}
