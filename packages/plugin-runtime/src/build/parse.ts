/**
 * From a Dockerfile's text to stages of steps. The syntax is read by dockerfile-ast; here its tree becomes what
 * the builder acts on. Source: docs.docker.com/reference/dockerfile.
 * @module
 */
import { invalid } from '@kernel/contracts'
import { DockerfileParser, type Heredoc as HeredocNode, type Instruction } from 'dockerfile-ast'

export interface Heredoc {
  name: string
  content: string
  /** False where the delimiter was quoted: no variables in it. */
  expand: boolean
}

export interface Step {
  /** Upper case. */
  keyword: string
  /** From 1. */
  line: number
  /** The whole instruction on one line, as it is shown. */
  text: string
  /** What follows the flags, continuation lines joined, comments between them gone. */
  args: string
  flags: Array<{ name: string; value: string | undefined }>
  /** The exec form, where the arguments are a JSON list of strings. */
  json?: string[]
  heredocs: Heredoc[]
}

export interface Stage {
  index: number
  name?: string
  /** As written: variables are not expanded yet. */
  base: string
  platform?: string
  from: Step
  steps: Step[]
}

export interface ParsedDockerfile {
  escapeChar: string
  /** ARG instructions before the first FROM. */
  globalArgs: Step[]
  stages: Stage[]
}

const known = new Set(
  'ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL MAINTAINER ONBUILD RUN SHELL STOPSIGNAL USER VOLUME WORKDIR'.split(
    ' ',
  ),
)

/** At most this much text: a Dockerfile is written by people. */
const largest = 1 << 20

/** @throws invalid with the line number */
export function parseDockerfile(text: string): ParsedDockerfile {
  if (text.length > largest) throw invalid(`The Dockerfile is larger than ${largest} bytes.`)
  const document = DockerfileParser.parse(text)
  const lines = text.split(/\r?\n/)
  const escapeChar = document.getEscapeCharacter()
  const globalArgs: Step[] = []
  const stages: Stage[] = []
  for (const node of document.getInstructions()) {
    const step = toStep(node, lines, escapeChar)
    if (!known.has(step.keyword))
      throw invalid(
        `dockerfile parse error on line ${step.line}: unknown instruction: ${node.getInstruction()}`,
      )
    if (step.args === '' && step.heredocs.length === 0)
      throw invalid(
        `dockerfile parse error on line ${step.line}: ${step.keyword} requires at least one argument`,
      )
    if (step.keyword === 'FROM') stages.push(toStage(step, stages))
    else if (stages.length > 0) stages.at(-1)!.steps.push(step)
    else if (step.keyword === 'ARG') globalArgs.push(step)
    else
      throw invalid(
        `dockerfile parse error on line ${step.line}: no build stage in current context (FROM comes first)`,
      )
  }
  if (stages.length === 0) throw invalid('The Dockerfile has no FROM: it says nothing to build.')
  return { escapeChar, globalArgs, stages }
}

/** One instruction out of text, for ONBUILD. */
export function parseInstruction(text: string): Step {
  return parseDockerfile(`FROM scratch\n${text}`).stages[0]!.steps[0]!
}

function toStage(step: Step, before: Stage[]): Stage {
  const found = /^(\S+)(?:\s+as\s+(\S+))?$/i.exec(step.args)
  if (!found)
    throw invalid(`dockerfile parse error on line ${step.line}: FROM requires either one or three arguments`)
  const name = found[2]?.toLowerCase()
  if (name !== undefined && !/^[a-z][a-z0-9_.-]*$/.test(name))
    throw invalid(`dockerfile parse error on line ${step.line}: invalid name for build stage: "${found[2]}"`)
  if (name !== undefined && before.some((stage) => stage.name === name))
    throw invalid(`dockerfile parse error on line ${step.line}: duplicate name ${name}`)
  return {
    index: before.length,
    name,
    base: found[1]!,
    platform: step.flags.find((flag) => flag.name === 'platform')?.value,
    from: step,
    steps: [],
  }
}

function toStep(node: Instruction, lines: string[], escapeChar: string): Step {
  const { start, end } = node.getRange()
  const own = lines.slice(start.line, end.line + 1)
  const heredocNodes =
    'getHeredocs' in node ? (node as unknown as { getHeredocs(): HeredocNode[] }).getHeredocs() : []
  const heredocs = heredocNodes.map((heredoc) => toHeredoc(heredoc, lines))
  // The bodies of heredocs are no continuation lines.
  const first = heredocNodes[0]?.getContentRange() ?? heredocNodes[0]?.getDelimiterRange()
  const headEnd = first ? first.start.line - start.line : own.length
  const joined = joinLines(own.slice(0, headEnd), escapeChar)
  const keyword = node.getKeyword().toUpperCase()
  const { flags, rest } = takeFlags(joined.replace(/^\s*\S+\s*/, ''), keyword)
  const json = execForm(rest)
  const text = `${keyword} ${joined.replace(/^\s*\S+\s*/, '')}`.trim()
  return { keyword, line: start.line + 1, text, args: rest, flags, heredocs, ...(json ? { json } : {}) }
}

/** Continuation lines become one; comments and blank lines between them are dropped, as Docker does. */
function joinLines(lines: string[], escapeChar: string): string {
  let joined = ''
  for (const [index, line] of lines.entries()) {
    if (index > 0 && /^\s*(#|$)/.test(line)) continue
    const continued = line.trimEnd().endsWith(escapeChar) && line.trimEnd().length > 0
    joined += continued ? line.trimEnd().slice(0, -1) : line
    if (!continued) break
  }
  return joined.trim()
}

const flagged = new Set(['FROM', 'RUN', 'COPY', 'ADD', 'HEALTHCHECK'])

function takeFlags(text: string, keyword: string): { flags: Step['flags']; rest: string } {
  const flags: Step['flags'] = []
  let rest = text
  while (flagged.has(keyword)) {
    const found = /^--([a-z][a-z0-9-]*)(?:=(\S*))?(?:\s+|$)/.exec(rest)
    if (!found) break
    flags.push({ name: found[1]!, value: found[2]?.replace(/^(["'])(.*)\1$/, '$2') })
    rest = rest.slice(found[0].length)
  }
  return { flags, rest: rest.trim() }
}

/** A JSON list of strings, else undefined: then it is the shell form. */
function execForm(text: string): string[] | undefined {
  if (!text.startsWith('[')) return undefined
  try {
    const value: unknown = JSON.parse(text)
    return Array.isArray(value) && value.every((item) => typeof item === 'string') ? value : undefined
  } catch {
    return undefined
  }
}

function toHeredoc(node: HeredocNode, lines: string[]): Heredoc {
  const name = node.getName()
  const { start } = node.getStartRange()
  const opening = lines[start.line]!.slice(start.character)
  const range = node.getContentRange()
  const body = range
    ? lines.slice(range.start.line, node.getDelimiterRange()?.start.line ?? range.end.line + 1)
    : []
  const stripped = opening.startsWith('<<-') ? body.map((line) => line.replace(/^\t+/, '')) : body
  return { name, content: stripped.map((line) => `${line}\n`).join(''), expand: !/^<<-?["']/.test(opening) }
}
