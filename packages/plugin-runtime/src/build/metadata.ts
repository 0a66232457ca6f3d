/** The instructions that change an image's configuration and no files. @module */
import { type HealthcheckConfig, invalid } from '@kernel/contracts'
import { signalNumber } from '../containers/signals.ts'
import { expandWord, expandWords, splitWords } from './expand.ts'
import { parseInstruction, type Step } from './parse.ts'
import type { StageState } from './stage-state.ts'

type Apply = (state: StageState, step: Step, escapeChar: string) => void

const fail = (step: Step, what: string): never => {
  throw invalid(`dockerfile parse error on line ${step.line}: ${what}`)
}

/** Shell form becomes the shell's argument; exec form stands as it is. */
function commandOf(state: StageState, step: Step): string[] {
  return step.json ?? [...state.shell, step.args]
}

function pairs(state: StageState, step: Step, escapeChar: string): Array<[string, string]> {
  const words = splitWords(step.args, escapeChar)
  const first = words[0] ?? ''
  if (!/^("[^"]*"|'[^']*'|[^=\s"']+)=/.test(first)) {
    // The old form: ENV name the rest of the line
    const rest = step.args.slice(first.length).trim()
    if (rest === '') fail(step, `${step.keyword} must have two arguments`)
    return [[expandWord(first, state.variables, escapeChar), expandWord(rest, state.variables, escapeChar)]]
  }
  return words.map((word) => {
    const expanded = expandWord(word, state.variables, escapeChar)
    const at = expanded.indexOf('=')
    if (at < 1) fail(step, `Syntax error - can't find = in "${word}". Must be of the form: name=value`)
    return [expanded.slice(0, at), expanded.slice(at + 1)]
  })
}

const list = (state: StageState, step: Step, escapeChar: string): string[] =>
  step.json ?? expandWords(step.args, state.variables, escapeChar)

const env: Apply = (state, step, escapeChar) => {
  for (const [name, value] of pairs(state, step, escapeChar)) state.setEnv(name, value)
}

const label: Apply = (state, step, escapeChar) => {
  state.config.Labels = { ...state.config.Labels, ...Object.fromEntries(pairs(state, step, escapeChar)) }
}

const cmd: Apply = (state, step) => {
  state.config.Cmd = commandOf(state, step)
}

const entrypoint: Apply = (state, step) => {
  const inherited = state.base?.config.config?.Cmd
  // An entrypoint of one's own makes the base image's command meaningless.
  if (JSON.stringify(state.config.Cmd) === JSON.stringify(inherited)) delete state.config.Cmd
  state.config.Entrypoint = commandOf(state, step)
}

const expose: Apply = (state, step, escapeChar) => {
  const ports = { ...state.config.ExposedPorts }
  for (const word of expandWords(step.args, state.variables, escapeChar)) {
    const found = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/i.exec(word)
    if (!found) throw invalid(`dockerfile parse error on line ${step.line}: invalid containerPort: ${word}`)
    const [first, last] = [Number(found[1]), Number(found[2] ?? found[1])]
    if (first < 1 || last > 65_535 || last < first) fail(step, `invalid containerPort: ${word}`)
    for (let port = first; port <= last; port++) ports[`${port}/${found[3]?.toLowerCase() ?? 'tcp'}`] = {}
  }
  state.config.ExposedPorts = ports
}

const user: Apply = (state, step, escapeChar) => {
  state.config.User = expandWord(step.args, state.variables, escapeChar)
}

const volume: Apply = (state, step, escapeChar) => {
  const volumes = { ...state.config.Volumes }
  for (const path of list(state, step, escapeChar)) volumes[path] = {}
  state.config.Volumes = volumes
}

const stopSignal: Apply = (state, step, escapeChar) => {
  const signal = expandWord(step.args, state.variables, escapeChar)
  signalNumber(signal)
  state.config.StopSignal = signal
}

const shell: Apply = (state, step) => {
  if (!step.json || step.json.length === 0)
    return fail(step, 'SHELL requires the arguments to be in JSON form')
  state.shell = step.json
  state.config.Shell = step.json
}

const onbuild: Apply = (state, step) => {
  const trigger = parseInstruction(step.args)
  if (['ONBUILD', 'FROM', 'MAINTAINER'].includes(trigger.keyword))
    fail(step, `${trigger.keyword} isn't allowed as an ONBUILD trigger`)
  state.config.OnBuild = [...(state.config.OnBuild ?? []), step.args]
}

const healthcheck: Apply = (state, step) => {
  const [kind = '', ...rest] = step.args.split(/\s+/)
  if (kind.toUpperCase() === 'NONE') {
    state.config.Healthcheck = { Test: ['NONE'] }
    return
  }
  if (kind.toUpperCase() !== 'CMD' || rest.length === 0)
    fail(step, `Unknown type "${kind}" for HEALTHCHECK (try CMD)`)
  const command = step.args.slice(kind.length).trim()
  const check: HealthcheckConfig = { Test: healthTest(command) }
  for (const { name, value = '' } of step.flags) {
    if (name === 'interval') check.Interval = nanoseconds(step, value)
    else if (name === 'timeout') check.Timeout = nanoseconds(step, value)
    else if (name === 'start-period') check.StartPeriod = nanoseconds(step, value)
    else if (name === 'start-interval') check.StartInterval = nanoseconds(step, value)
    else if (name === 'retries' && /^\d+$/.test(value)) check.Retries = Number(value)
    else fail(step, `Unknown flag: ${name}`)
  }
  state.config.Healthcheck = check
}

function healthTest(command: string): string[] {
  if (command.startsWith('['))
    try {
      const argv: unknown = JSON.parse(command)
      if (Array.isArray(argv) && argv.every((word) => typeof word === 'string')) return ['CMD', ...argv]
    } catch {
      // Not JSON: the shell form.
    }
  return ['CMD-SHELL', command]
}

const units: Record<string, number> = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 }

/** Go's duration: `1m30s`, `500ms`. */
function nanoseconds(step: Step, text: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)]
  if (parts.length === 0 || parts.map(([whole]) => whole).join('') !== text)
    fail(step, `invalid duration "${text}"`)
  return Math.round(parts.reduce((sum, [, count, unit]) => sum + Number(count) * units[unit!]!, 0))
}

/** By keyword; ARG, FROM, RUN, COPY, ADD and WORKDIR are the builder's own. */
export const metadataSteps: Record<string, Apply> = {
  ENV: env,
  LABEL: label,
  CMD: cmd,
  ENTRYPOINT: entrypoint,
  EXPOSE: expose,
  USER: user,
  VOLUME: volume,
  STOPSIGNAL: stopSignal,
  SHELL: shell,
  ONBUILD: onbuild,
  HEALTHCHECK: healthcheck,
  // Deprecated, and shown by no client any more.
  MAINTAINER: () => {},
}
