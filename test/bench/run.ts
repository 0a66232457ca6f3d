/** All benchmarks one after the other: `pnpm --filter @kernel/test bench`. See docs/benchmarks.md. */
import { availableParallelism, cpus, totalmem } from 'node:os'
import { benchDockerRun } from './docker-run.ts'
import { benchPush } from './push.ts'
import { benchRollback } from './rollback.ts'

console.log(
  `${cpus()[0]?.model}, ${availableParallelism()} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}\n`,
)
await benchDockerRun()
await benchPush()
await benchRollback()
