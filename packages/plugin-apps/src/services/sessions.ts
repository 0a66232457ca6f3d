/** Commands that a person runs: one-offs in a process of their own, or beside a process that runs. @module */
import { randomInt } from 'node:crypto'
import { conflict, invalid, notFound, type Processes, type RunningCommand } from '@kernel/contracts'
import { ignoreMissing } from '../failure.ts'
import { checkVariableName } from '../names.ts'
import { processEnv } from '../pipeline/launch.ts'
import type { Platform } from '../platform.ts'

/** Seconds that a command gets to end by itself. */
const killTimeoutSec = 5

export function createSessions({ store, scheduler }: Platform): Pick<Processes, 'run' | 'enter'> {
  return {
    async run(name, { command, tty, stdin, rows, columns, env = {} }): Promise<RunningCommand> {
      const app = store.app(name)
      if (app.current === undefined)
        throw conflict(`${name} has not been deployed yet`, { hint: 'Push a commit to it first.' })
      assertCommand(command)
      for (const variable of Object.keys(env)) checkVariableName(variable)
      const release = store.release(name, app.current)
      const index = randomInt(1000, 10_000)
      const { id } = await scheduler.start({
        app: name,
        releaseId: release.id,
        processType: 'run',
        index,
        name: `${name}.run.${index}`,
        artifact: release.artifact,
        command,
        env: { ...processEnv(app, release, `run.${index}`), ...env },
        oneOff: { tty, stdin, rows, columns },
      })
      const exit = scheduler.wait(id)
      exit.catch(() => {})
      try {
        return {
          stream: await scheduler.attach(id),
          exit,
          resize: (height, width) => scheduler.resize(id, height, width),
          kill: (signal) =>
            scheduler
              .stop(id, { ...(signal !== undefined && { signal }), timeoutSec: killTimeoutSec })
              .catch(ignoreMissing),
        }
      } catch (error) {
        await scheduler.stop(id, { timeoutSec: 0 }).catch(ignoreMissing)
        throw error
      }
    },

    async enter(name, { process, command, tty, stdin, rows, columns }): Promise<RunningCommand> {
      const app = store.app(name)
      assertCommand(command)
      const live = app.live.find(({ type, index }) =>
        process === undefined ? type === 'web' : `${type}.${index}` === process,
      )
      if (live === undefined) {
        const names = app.live.map(({ type, index }) => `${type}.${index}`).join(', ')
        throw notFound(`${name} has no process ${process ?? 'web'} that runs`, {
          hint: names === '' ? `Start it: ps:start ${name}` : `There is: ${names}`,
        })
      }
      const { stream, exit, resize, kill } = await scheduler.exec(live.id, {
        command,
        tty,
        stdin,
        rows,
        columns,
      })
      exit.catch(() => {})
      return {
        stream,
        exit,
        resize,
        async kill(signal) {
          if (kill) await kill(signal)
          else {
            // The next best: whoever reads its input or writes to its terminal sees the end.
            await stream.closeInput()
            stream.detach()
          }
        },
      }
    },
  }
}

function assertCommand(command: string[]): void {
  if (command.length === 0 || command[0] === '') throw invalid('There is no command to run')
}
