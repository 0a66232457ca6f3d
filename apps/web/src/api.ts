/** Calls of the product's API from the browser. The session is a cookie that scripts can't read. @module */
import type {
  AppReport,
  AppSummary,
  DeployInfo,
  DeployLine,
  EngineEvent,
  ProcessReport,
  ReleaseInfo,
  SystemInfo,
} from '@kernel/contracts'
import { splitLines } from './lines.ts'

/** What the API said went wrong. */
export class ApiError extends Error {
  readonly status: number
  readonly hint: string

  constructor(status: number, message: string, hint = '') {
    super(message)
    this.status = status
    this.hint = hint
  }
}

async function request(
  method: string,
  path: string,
  body?: unknown,
  signal?: AbortSignal,
): Promise<Response> {
  const answer = await fetch(`/api/v1${path}`, {
    method,
    signal,
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  }).catch((error: unknown) => {
    if (signal?.aborted) throw error
    throw new ApiError(0, 'The daemon does not answer.', 'It may be restarting; this page tries again.')
  })
  if (answer.ok) return answer
  const { message, hint } = (await answer.json().catch(() => ({}))) as { message?: string; hint?: string }
  throw new ApiError(answer.status, message ?? `The daemon answered ${answer.status}.`, hint)
}

const json = async <T>(path: string, signal?: AbortSignal): Promise<T> =>
  (await request('GET', path, undefined, signal)).json() as Promise<T>

/** NDJSON, a value a line, until the other side ends it. */
async function* lines<T>(
  path: string,
  signal: AbortSignal,
  method = 'GET',
  body?: unknown,
): AsyncGenerator<T> {
  const answer = await request(method, path, body, signal)
  if (!answer.body) return
  for await (const line of splitLines(answer.body.pipeThrough(new TextDecoderStream()))) {
    const value = JSON.parse(line) as { error?: { message: string; hint?: string }; result?: unknown }
    if (value.error?.message) throw new ApiError(500, value.error.message, value.error.hint)
    if (!('result' in value)) yield value as T
  }
}

const app = (name: string) => `/apps/${encodeURIComponent(name)}`

export const api = {
  signIn: async (token: string) => void (await request('POST', '/session', { token })),
  signOut: async () => void (await request('DELETE', '/session')),
  system: (signal?: AbortSignal) => json<SystemInfo>('/system', signal),
  apps: (signal?: AbortSignal) => json<AppSummary[]>('/apps', signal),
  app: (name: string, signal?: AbortSignal) => json<AppReport>(app(name), signal),
  processes: (name: string, signal?: AbortSignal) =>
    json<{ processes: ProcessReport[] }>(`${app(name)}/processes`, signal),
  releases: (name: string, signal?: AbortSignal) => json<ReleaseInfo[]>(`${app(name)}/releases`, signal),
  deploys: (name: string, signal?: AbortSignal) =>
    json<DeployInfo[]>(`${app(name)}/deploys?limit=10`, signal),
  deployOutput: (id: string, signal: AbortSignal) =>
    lines<DeployLine>(`/deploys/${encodeURIComponent(id)}/output?follow=true`, signal),
  events: (signal: AbortSignal) => lines<EngineEvent>('/system/events', signal),
  rollback: (name: string, release: string, signal: AbortSignal) =>
    lines<DeployLine>(`${app(name)}/rollback`, signal, 'POST', { release }),
}
