/** What a container of the scheduler is marked with, so that it is found again after any restart. @module */
import type { WorkloadSpec } from '@kernel/contracts'

/** Every container with this label is a workload; its value is the app. */
export const appLabel = 'kernel.app'

/** What a workload is, as its labels tell. */
export interface Identity {
  app: string
  releaseId: string
  processType: string
  index: number
  port?: number
  oneOff: boolean
  /** As it was asked for; in the freezer a container has none. */
  restart?: NonNullable<WorkloadSpec['restart']>
}

export function labelsOf(spec: WorkloadSpec): Record<string, string> {
  return {
    ...spec.labels,
    [appLabel]: spec.app,
    'kernel.release': spec.releaseId,
    'kernel.process-type': spec.processType,
    'kernel.index': String(spec.index),
    ...(spec.port === undefined ? {} : { 'kernel.port': String(spec.port) }),
    ...(spec.oneOff ? { 'kernel.one-off': 'true' } : {}),
    ...(spec.restart ? { 'kernel.restart': JSON.stringify(spec.restart) } : {}),
  }
}

/** Undefined where it is not a workload. */
export function identityOf(labels: Record<string, string> | undefined): Identity | undefined {
  const app = labels?.[appLabel]
  if (!labels || app === undefined) return undefined
  return {
    app,
    releaseId: labels['kernel.release'] ?? '',
    processType: labels['kernel.process-type'] ?? '',
    index: Number(labels['kernel.index'] ?? 1),
    ...(labels['kernel.port'] ? { port: Number(labels['kernel.port']) } : {}),
    oneOff: labels['kernel.one-off'] === 'true',
    ...(labels['kernel.restart'] ? { restart: JSON.parse(labels['kernel.restart']) } : {}),
  }
}
