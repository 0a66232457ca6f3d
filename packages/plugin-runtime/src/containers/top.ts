/** `docker top`: the host's ps, cut down to the processes of one container. @module */
import { execFile } from 'node:child_process'
import { failed, invalid } from '@kernel/contracts'

export interface ProcessTable {
  Titles: string[]
  Processes: string[][]
}

/**
 * @param psArgs arguments of ps, such as `-ef` or `aux`; they must show the column PID
 * @throws invalid where ps refuses them; failed where this machine has no ps
 */
export async function topOf(pids: number[], psArgs = '-ef'): Promise<ProcessTable> {
  const args = psArgs.split(/\s+/).filter(Boolean)
  if (args.some((arg) => /^-?-?(G|group|U|user|p|pid)$/i.test(arg) && arg.startsWith('--')))
    throw invalid('ps: selecting processes by hand is not possible here')
  const output = await run(args)
  return filterProcesses(output, new Set(pids))
}

/** Keeps the rows whose PID is in the set; the last column takes the rest of the line. */
export function filterProcesses(output: string, pids: Set<number>): ProcessTable {
  const [head = '', ...lines] = output.split('\n').filter((line) => line.trim() !== '')
  const Titles = head.trim().split(/\s+/)
  const at = Titles.indexOf('PID')
  if (at < 0) throw invalid("Couldn't find PID field in ps output")
  const Processes = lines
    .map((line) => {
      const words = line.trim().split(/\s+/)
      return [...words.slice(0, Titles.length - 1), words.slice(Titles.length - 1).join(' ')]
    })
    .filter((row) => pids.has(Number(row[at])))
  return { Titles, Processes }
}

function run(args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(
      'ps',
      args,
      { maxBuffer: 64 << 20, env: { ...process.env, LC_ALL: 'C' } },
      (error, stdout, stderr) => {
        if (!error) return resolve(stdout)
        if ((error as NodeJS.ErrnoException).code === 'ENOENT')
          return reject(
            failed('docker top needs the program ps on this machine', { hint: 'Install procps.' }),
          )
        reject(invalid(`error running ps: ${stderr.trim() || error.message}`))
      },
    )
  })
}
