/** What a thread of the pool runs: one layer job (jobs.ts) after another. @module */
import type { MessagePort } from 'node:worker_threads'
import { problemOf } from '@kernel/contracts'
import { type Jobs, jobs } from './jobs.ts'

export interface Task {
  name: keyof Jobs
  job: unknown
  /** Where progress is told; absent: nobody asks. */
  port?: MessagePort
}
export interface Progress {
  current: number
  total: number
}
export type Answer =
  | { ok: true; result: unknown }
  | { ok: false; message: string; code?: string; problem?: { kind: string; hint: string } }

/** Reports that come closer than this to each other are left out, in milliseconds. */
const REPORT_INTERVAL = 100

export default async function runLayerJob({ name, job, port }: Task): Promise<Answer> {
  let reported = 0
  const report = (current: number, total: number) => {
    const now = performance.now()
    if (now - reported < REPORT_INTERVAL) return
    reported = now
    port?.postMessage({ current, total } satisfies Progress)
  }
  try {
    const run = jobs[name] as (job: unknown, report: (current: number, total: number) => void) => unknown
    return { ok: true, result: await run(job, report) }
  } catch (error) {
    // Errors lose their class on the way between threads.
    const problem = problemOf(error)
    const { message, code } = error as Error & { code?: string }
    return {
      ok: false,
      message,
      code,
      ...(problem && { problem: { kind: problem.kind, hint: problem.hint } }),
    }
  } finally {
    port?.close()
  }
}
