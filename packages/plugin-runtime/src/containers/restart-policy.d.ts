/** When a container that ended is started again (docs.docker.com, "Start containers automatically"). @module */
import { type HostConfig } from '@kernel/contracts'
import type { ContainerRecord } from './record.ts'
/** @throws invalid in dockerd's words */
export declare function checkRestartPolicy(host: HostConfig): void
/** Whether a container that just ended is to be started again. */
export declare function restarts(record: ContainerRecord): boolean
/** Whether a daemon that starts brings a stopped container up again. */
export declare function startsWithDaemon(record: ContainerRecord): boolean
/** The pause before the next start, doubling from 100 ms to a minute. */
export declare function nextDelay(previousMs: number | undefined, ranMs: number): number
