/** The rounds: an operation, a SIGKILL in the middle of it, a start, and all that has to be true then. @module */
import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../harness/until.ts'
import { fetchPage } from '../harness/visitor.ts'
import { appOperations } from './app-operations.ts'
import { branchProblems } from './branches.ts'
import { chanceOf, roundSeed } from './chance.ts'
import { engineOperations } from './engine-operations.ts'
import { Lab } from './lab.ts'
import { runningProcesses, strays } from './machine.ts'
import type { Operation, Step } from './steps.ts'
import { readTicks, type Ticks, tickProblems } from './ticks.ts'
import type { World } from './told.ts'
import { discrepancies, readWorld } from './world.ts'

export const operations: Record<string, Operation> = { ...appOperations, ...engineOperations }

export interface ChaosOptions {
  rounds: number
  seed: number
  /** Only these operations. */
  only?: string[]
  /** The first round's number, to play one again. */
  from?: number
  onRound?(round: Round): void
}

export interface Round {
  number: number
  operation: string
  /** Milliseconds after its begin at which the daemon was killed. */
  killedAt: number
  /** And again in the start after that, so many milliseconds after its begin. */
  killedAgain?: number
  /** Whether the client was told that it is done. */
  told: boolean
  /** What was found: the operation as done, as never begun, or between two requests of a client. */
  found: 'done' | 'undone' | 'between' | 'neither'
  /** Milliseconds from the start of the process to the first visitor's answer, and to that of the API. */
  served: number
  ready: number
  violations: string[]
  /** What the daemon complained of, where anything was wrong. */
  complaints: string[]
}

export interface Report {
  rounds: Round[]
  /** Pushes that had to work after a restart, beside those that were rounds. */
  pushes: number
  /** A stop by SIGTERM and a start, at the end: milliseconds to the first visitor's answer. */
  upgrade: number
  /** Found when all rounds were over: by the upgrade, and in the whole logs. */
  violations: string[]
}

/** A push has to work after every so many rounds, and after the last. */
const pushEvery = 10
/** The share of rounds in which the start is killed as well, within so many milliseconds. */
const secondKill = 0.3
const startTime = 700
/** What settles by itself after a start gets this long, in milliseconds. */
const settleTime = 10_000

export async function runChaos(options: ChaosOptions): Promise<Report> {
  const { rounds, seed, only, from = 1 } = options
  const names = Object.keys(operations).filter((name) => !only?.length || only.includes(name))
  if (names.length === 0)
    throw new Error(`There is no such operation. There are: ${Object.keys(operations).join(', ')}`)
  const lab = await Lab.open()
  try {
    const chaos = new Chaos(lab)
    await chaos.begin()
    const durations = new Map<string, number>()
    const report: Report = { rounds: [], pushes: 0, upgrade: 0, violations: [] }
    const order = orderOf(names, seed)
    for (let number = from; number < from + rounds; number++) {
      const name = order(number)
      const chance = chanceOf(roundSeed(seed, number))
      if (!durations.has(name)) durations.set(name, await chaos.measure(name, chanceOf(seed)))
      const round = await chaos.round(number, name, (durations.get(name) ?? 0) * 1.1, chance)
      if (number % pushEvery === 0 || number === from + rounds - 1) {
        report.pushes++
        round.violations.push(...(await chaos.nextPush()))
      }
      report.rounds.push(round)
      options.onRound?.(round)
    }
    report.upgrade = await chaos.upgrade(report.violations)
    report.violations.push(...tickProblems(await readTicks(lab, 'all'), {}, 1))
    return report
  } finally {
    await lab.close()
  }
}

/** Every operation once, in an order of chance, before one comes again. */
function orderOf(names: string[], seed: number): (round: number) => string {
  return (round) => {
    const cycle = Math.floor((round - 1) / names.length)
    const chance = chanceOf(roundSeed(seed, -cycle - 1))
    const shuffled = names.map((name) => ({ name, at: chance() })).sort((a, b) => a.at - b.at)
    return shuffled[(round - 1) % names.length]?.name ?? ''
  }
}

class Chaos {
  readonly #lab: Lab
  #world!: World
  #ticks: Ticks = {}
  /** Told of in an earlier round: what is left behind is that round's violation alone. */
  readonly #strays = new Set<string>()

  constructor(lab: Lab) {
    this.#lab = lab
  }

  async begin(): Promise<void> {
    await this.#remember(await readWorld(this.#lab))
    // A rollback needs two of them.
    await this.nextPush()
    const problems = await this.#settled(() => this.#newStrays())
    if (problems.length > 0) throw new Error(`Before the first round:\n${problems.join('\n')}`)
  }

  /** Does an operation with nobody killed; answers its milliseconds. @throws where it is not as predicted */
  async measure(name: string, chance: () => number): Promise<number> {
    const step = await this.#prepare(name, chance)
    const before = await readWorld(this.#lab)
    const begun = performance.now()
    const told = await step.act()
    const took = performance.now() - begun
    const problems = await this.#settled(async () => [
      ...discrepancies(changed(before, step.after), await readWorld(this.#lab)),
      ...((await step.also?.(told)) ?? []),
      ...(await this.#newStrays()),
    ])
    if (problems.length > 0 || (!told && name !== 'failing-push'))
      throw new Error(
        `${name} does not work with a daemon that lives (told: ${told}):\n${problems.join('\n')}`,
      )
    await step.clear?.()
    await this.#remember(await readWorld(this.#lab))
    return took
  }

  async round(number: number, operation: string, within: number, chance: () => number): Promise<Round> {
    const lab = this.#lab
    const step = await this.#prepare(operation, chance)
    const before = await readWorld(lab)
    const processes = await runningProcesses(lab)
    const killedAt = Math.round(chance() * within)
    const acting = step.act().catch(() => false)
    await sleep(killedAt)
    await lab.daemon.kill()
    const told = await acting
    const killedAgain = chance() < secondKill ? Math.round(chance() * startTime) : undefined
    if (killedAgain !== undefined) {
      lab.daemon.launch()
      await sleep(killedAgain)
      await lab.daemon.kill()
    }
    const { served, ready } = await this.#start()
    const outcomes: Array<[Round['found'], World]> = [
      ['done', changed(before, step.after)],
      ...(told ? [] : ([['undone', before]] as Array<[Round['found'], World]>)),
      ...(told ? [] : (step.between ?? [])).map((change): [Round['found'], World] => [
        'between',
        changed(before, change),
      ]),
    ]
    let found: Round['found'] = 'neither'
    const violations = await this.#settled(async () => {
      const world = await readWorld(lab)
      const judged = outcomes.map(([name, expected]) => ({ name, wrong: discrepancies(expected, world) }))
      const match = judged.find(({ wrong }) => wrong.length === 0)
      found = match?.name ?? 'neither'
      const wrong = match
        ? []
        : judged.flatMap(({ name, wrong }) => wrong.map((line) => `not ${name}: ${line}`))
      return [
        ...wrong,
        ...(await this.#processProblems(processes, step)),
        ...(await branchProblems(lab)),
        ...(await this.#newStrays()),
      ]
    })
    violations.push(...((await step.also?.(told).catch((error: Error) => [error.message])) ?? []))
    violations.push(...(await this.#logProblems()))
    for (const stray of await this.#newStrays()) this.#strays.add(stray)
    await step.clear?.()
    await this.#remember(await readWorld(lab))
    const complaints = violations.length === 0 ? [] : complaintsIn(lab.daemon.logTail(60))
    return { number, operation, killedAt, killedAgain, told, found, served, ready, violations, complaints }
  }

  /** A push that nobody disturbs. */
  async nextPush(): Promise<string[]> {
    const step = await this.#prepare('push', () => 0)
    const before = await readWorld(this.#lab)
    if (!(await step.act())) return ['the next push was refused']
    const wrong = discrepancies(changed(before, step.after), await readWorld(this.#lab))
    await this.#remember(await readWorld(this.#lab))
    return wrong.map((line) => `after the next push: ${line}`)
  }

  async #newStrays(): Promise<string[]> {
    return (await strays(this.#lab)).filter((stray) => !this.#strays.has(stray))
  }

  /** Stops the daemon and starts it again, as its owner does for a new version; answers when a visitor is served. */
  async upgrade(violations: string[]): Promise<number> {
    const [before, processes] = [await readWorld(this.#lab), await runningProcesses(this.#lab)]
    await this.#lab.daemon.stop('SIGTERM')
    const { served } = await this.#start()
    violations.push(
      ...(await this.#settled(async () => [
        ...discrepancies(before, await readWorld(this.#lab)),
        ...(await this.#processProblems(processes)),
        ...(await this.#newStrays()),
      ])),
    )
    return served
  }

  #prepare(name: string, chance: () => number): Promise<Step> {
    const operation = operations[name]
    if (!operation) throw new Error(`There is no operation ${name}.`)
    return operation(this.#lab, this.#world, chance)
  }

  async #remember(world: World): Promise<void> {
    this.#world = world
    const { shop } = world.apps
    if (shop) this.#lab.seenReleases.set(shop.current, structuredClone(shop))
    this.#ticks = await readTicks(this.#lab, 1)
  }

  /** Starts the daemon; a visitor asks all the while. */
  async #start(): Promise<{ served: number; ready: number }> {
    const { daemon } = this.#lab
    const begun = performance.now()
    let over = false
    const visitor = (async () => {
      while (!over) {
        const page = await fetchPage(daemon.url('bystander')).catch(() => undefined)
        if (page?.status === 200) return performance.now() - begun
        await sleep(5)
      }
      return Number.POSITIVE_INFINITY
    })()
    try {
      await daemon.start()
      const ready = performance.now() - begun
      await Promise.race([visitor, sleep(10_000)])
      over = true
      return { served: Math.round(await visitor), ready: Math.round(ready) }
    } finally {
      over = true
    }
  }

  async #processProblems(before: Map<string, string>, step?: Step): Promise<string[]> {
    const now = await runningProcesses(this.#lab)
    return [...before]
      .filter(([name, process]) => !step?.touches?.(name) && now.get(name) !== process)
      .map(([name, process]) => `${name} was ${process}, and is ${now.get(name) ?? 'not running'}`)
  }

  async #logProblems(): Promise<string[]> {
    let problems: string[] = []
    await until(
      'the counters go on',
      async () => {
        problems = tickProblems(await readTicks(this.#lab, 400), this.#ticks)
        return problems.length === 0
      },
      { within: 3000 },
    ).catch(() => {})
    return problems
  }

  /** What is wrong still when there was time to settle. */
  async #settled(check: () => Promise<string[]>): Promise<string[]> {
    let problems: string[] = []
    const attempt = async () => {
      problems = await check().catch((error: Error) => [error.message])
      return problems.length === 0
    }
    await until('nothing is wrong', attempt, { within: settleTime, every: 100 }).catch(() => {})
    return problems
  }
}

function changed(world: World, change: (world: World) => void): World {
  const copy = structuredClone(world)
  change(copy)
  return copy
}

const complaintsIn = (log: string) => log.split('\n').filter((line) => /"level":"(warn|error)"/.test(line))
