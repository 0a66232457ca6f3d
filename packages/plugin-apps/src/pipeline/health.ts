/**
 * The checks of app.json that go on while a process runs. Readiness takes it out of the routes and back in;
 * liveness has it started again, each time after a longer pause where that does not help. Which processes are
 * looked at follows from the records, so that a new daemon goes on where the old one was.
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Workload } from '@kernel/contracts'
import { describeError } from '@kernel/kernel'
import { ignoreMissing } from '../failure.ts'
import { announce, type Platform } from '../platform.ts'
import type { Healthcheck } from '../source/app-json.ts'
import type { LiveProcess } from '../store/records.ts'
import { hostHeaderOf, nameOf, questionOf } from './check.ts'
import type { Monitor } from './monitor.ts'
import { tellFailure } from './on-failure.ts'
import type { RoutePublisher } from './routes.ts'

/** As Dokku's and Kubernetes': tries in a row, seconds between two, seconds of one. */
const defaults = { attempts: 3, wait: 5, timeout: 5 }
const longestBackoffSec = 300

/** One process that is looked at. */
interface Patient {
  app: string
  process: LiveProcess
  stop: AbortController
  /** Failures of readiness checks that keep it out of the routes, by check. */
  unready: Map<Healthcheck, string>
  /** Set while it is being started again. */
  restarting: boolean
  /** Milliseconds (monotonic) before which it is not started again, and the pause that led there. */
  notBefore: number
  pauseMs: number
}

export class HealthWatch {
  readonly #platform: Platform
  readonly #routes: RoutePublisher
  readonly #monitor: Monitor
  readonly #patients = new Map<string, Patient>()
  readonly #work = new Set<Promise<void>>()

  constructor(platform: Platform, routes: RoutePublisher, monitor: Monitor) {
    this.#platform = platform
    this.#routes = routes
    this.#monitor = monitor
  }

  /** Follows the monitor: what it watches is looked at. */
  start(): void {
    this.#monitor.onChange((app) => this.#follow(app))
    this.#platform.signal.addEventListener('abort', () => {
      for (const { stop } of this.#patients.values()) stop.abort()
    })
  }

  /** Why a process is out of the routes; undefined where it is not. */
  notReady(id: string): string | undefined {
    const [reason] = this.#patients.get(id)?.unready.values() ?? []
    return reason
  }

  async stopped(): Promise<void> {
    await Promise.allSettled(this.#work)
  }

  #follow(name: string): void {
    const { store, signal } = this.#platform
    const app = store.findApp(name)
    const live = app?.destroying ? [] : (app?.live ?? [])
    for (const [id, patient] of this.#patients)
      if (patient.app === name && !live.some((process) => process.id === id)) {
        this.#patients.delete(id)
        patient.stop.abort()
      }
    if (app?.current === undefined || signal.aborted) return
    const release = store.findRelease(name, app.current)
    for (const process of live) {
      const checks = (release?.healthchecks[process.type] ?? []).filter(({ type }) => type !== 'startup')
      if (checks.length === 0 || this.#patients.has(process.id)) continue
      const patient: Patient = {
        app: name,
        process,
        stop: new AbortController(),
        unready: new Map(),
        restarting: false,
        notBefore: 0,
        pauseMs: 0,
      }
      this.#patients.set(process.id, patient)
      if (process.unready !== undefined)
        for (const check of checks)
          if (check.type === 'readiness') patient.unready.set(check, process.unready)
      for (const check of checks) this.#track(this.#look(patient, check))
    }
  }

  #track(work: Promise<void>): void {
    const whole = work.catch((error) => {
      if (!this.#platform.signal.aborted) this.#platform.log.error('A health check has ended', { error })
    })
    this.#work.add(whole)
    void whole.finally(() => this.#work.delete(whole))
  }

  async #look(patient: Patient, check: Healthcheck): Promise<void> {
    const { settings } = this.#platform
    const { signal } = patient.stop
    const waitMs = Math.max(check.wait ?? defaults.wait, settings.leastCheckWaitSec) * 1000
    const pause = (ms: number) => sleep(ms, undefined, { signal }).catch(() => {})
    let failures = 0
    await pause((check.initialDelay ?? 0) * 1000)
    for (;;) {
      await pause(waitMs)
      if (signal.aborted) return
      const outcome = await this.#ask(patient, check)
      if (signal.aborted) return
      if (outcome === 'skipped') failures = 0
      else if (outcome === 'passed') {
        failures = 0
        await this.#passed(patient, check)
      } else {
        failures += 1
        if (failures < (check.attempts ?? defaults.attempts)) continue
        if (await this.#failed(patient, check, outcome.reason)) {
          failures = 0
          await pause((check.initialDelay ?? 0) * 1000)
        }
      }
    }
  }

  async #ask(
    { app: name, process, restarting, stop }: Patient,
    check: Healthcheck,
  ): Promise<'passed' | 'skipped' | { reason: string }> {
    const { store, scheduler, settings } = this.#platform
    const app = store.findApp(name)
    if (app === undefined || !app.checks.enabled || restarting) return 'skipped'
    let workload: Workload
    try {
      workload = await scheduler.inspect(process.id)
    } catch {
      return 'skipped'
    }
    // What does not run is the restart policy's affair, and what was just started has its time to start.
    if (workload.status !== 'running' || this.#routes.isOut(process.id, 'starting')) return 'skipped'
    try {
      const ask = questionOf(scheduler, workload, check, hostHeaderOf(this.#routes.domains(app), name))
      if (ask === undefined) return 'skipped'
      const timeoutMs = (check.timeout ?? app.checks.attemptTimeout ?? settings.attemptTimeoutSec) * 1000
      await ask(AbortSignal.any([stop.signal, AbortSignal.timeout(timeoutMs)]))
      return 'passed'
    } catch (error) {
      return { reason: describeError(error) }
    }
  }

  async #passed(patient: Patient, check: Healthcheck): Promise<void> {
    if (check.type === 'liveness') {
      // Well for as long as it was last given: the next failure is a new one.
      if (performance.now() > patient.notBefore + patient.pauseMs) patient.pauseMs = 0
      return
    }
    if (!patient.unready.delete(check) || patient.unready.size > 0) return
    this.#note(patient, undefined)
    this.#routes.markReady(patient.process.id, 'readiness')
    this.#tell(patient, 'ready')
    await this.#publish(patient)
  }

  /** @returns whether its process was started again */
  async #failed(patient: Patient, check: Healthcheck, reason: string): Promise<boolean> {
    const known = patient.unready.has(check)
    const what = `${nameOf(check)}: ${reason}`
    if (check.type === 'readiness' && known) {
      patient.unready.set(check, what)
      return false
    }
    const waits = check.type === 'liveness' && performance.now() < patient.notBefore
    if (waits || patient.restarting) return false
    await this.#call(patient, check, reason)
    if (check.warn) {
      this.#tell(patient, 'unhealthy', what)
      return false
    }
    if (check.type === 'liveness') return this.#startAgain(patient, what)
    patient.unready.set(check, what)
    this.#note(patient, what)
    this.#routes.markNotReady(patient.process.id, 'readiness')
    this.#tell(patient, 'unready', what)
    await this.#publish(patient)
    return false
  }

  #note({ app, process }: Patient, unready: string | undefined): void {
    this.#platform.store.changeApp(app, (record) => {
      for (const one of record.live)
        if (one.id === process.id) {
          if (unready === undefined) delete one.unready
          else one.unready = unready
        }
    })
  }

  async #call({ process }: Patient, check: Healthcheck, reason: string): Promise<void> {
    const { scheduler } = this.#platform
    const workload = await scheduler.inspect(process.id).catch(() => undefined)
    if (workload) await tellFailure(scheduler, workload, check, reason)
  }

  /** Its requests go to the others, or wait; those that it is answering have until it is stopped. */
  async #startAgain(patient: Patient, reason: string): Promise<boolean> {
    const { scheduler, store, settings, log } = this.#platform
    const { app, process } = patient
    const { id, type, index } = process
    const isLive = () => store.findApp(app)?.live.some((one) => one.id === id) ?? false
    patient.restarting = true
    this.#tell(patient, 'unhealthy', reason)
    this.#routes.markNotReady(id, 'liveness')
    try {
      await this.#publish(patient)
      const before = (await scheduler.inspect(id)).restartCount
      await scheduler.stop(id, { timeoutSec: settings.stopTimeoutSec }).catch(ignoreMissing)
      if (!isLive()) return false
      const workload = await scheduler.restart(id)
      store.changeApp(app, (record) => {
        const forgotten = Math.max(0, before - workload.restartCount)
        for (const one of record.live) if (one.id === id) one.restarts = (one.restarts ?? 0) + 1 + forgotten
      })
      this.#monitor.expect(app, workload)
      return true
    } catch (error) {
      if (!patient.stop.signal.aborted)
        log.error(`${app} ${type}.${index} could not be started again: ${describeError(error)}`, { app })
      return false
    } finally {
      const { livenessBackoffSec } = settings
      patient.pauseMs = Math.min(
        patient.pauseMs === 0 ? livenessBackoffSec * 1000 : patient.pauseMs * 2,
        longestBackoffSec * 1000,
      )
      patient.notBefore = performance.now() + patient.pauseMs
      patient.restarting = false
      this.#routes.markReady(id, 'liveness')
      await this.#publish(patient)
    }
  }

  async #publish({ app }: Patient): Promise<void> {
    await this.#routes.refresh(app).catch((error) => {
      if (!this.#platform.signal.aborted)
        this.#platform.log.warn(`The routes of ${app} could not be refreshed`, { app, error })
    })
  }

  #tell({ app, process: { type, index } }: Patient, action: string, reason?: string): void {
    const { log } = this.#platform
    const process = `${type}.${index}`
    if (reason !== undefined) log.warn(`${app} ${process} is ${action}: it did not pass ${reason}`, { app })
    announce(this.#platform, 'app', action, app, { process, ...(reason !== undefined && { reason }) })
  }
}
