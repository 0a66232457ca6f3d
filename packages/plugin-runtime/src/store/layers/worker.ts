/** The thread that runs layer jobs (jobs.ts) one after another. Only ever the entry of a worker. @module */
import { parentPort } from 'node:worker_threads'
import { problemOf } from '@kernel/contracts'
import { type Jobs, jobs } from './jobs.ts'

export interface Request {
  name: keyof Jobs
  job: unknown
}
export type Reply =
  | { kind: 'report'; current: number; total: number }
  | { kind: 'done'; result: unknown }
  | { kind: 'error'; message: string; code?: string; problem?: { kind: string; hint: string } }

/** Reports that come closer than this to each other are left out, in milliseconds. */
const REPORT_INTERVAL = 100

parentPort?.on('message', async ({ name, job }: Request) => {
  const answer = (reply: Reply) => parentPort?.postMessage(reply)
  let reported = 0
  const report = (current: number, total: number) => {
    const now = performance.now()
    if (now - reported < REPORT_INTERVAL) return
    reported = now
    answer({ kind: 'report', current, total })
  }
  try {
    const run = jobs[name] as (job: unknown, report: (current: number, total: number) => void) => unknown
    answer({ kind: 'done', result: await run(job, report) })
  } catch (error) {
    const problem = problemOf(error)
    answer({
      kind: 'error',
      message: (error as Error).message,
      code: (error as { code?: string }).code,
      ...(problem && { problem: { kind: problem.kind, hint: problem.hint } }),
    })
  }
})
