import http from 'node:http'

export interface UnixAnswer {
  status: number
  headers: http.IncomingHttpHeaders
  body: string
  /** The body as JSON. */
  json(): unknown
}

/** For tests: one request over a unix socket. */
export function unixFetch(
  socketPath: string,
  method: string,
  path: string,
  { body, headers = {} }: { body?: unknown; headers?: Record<string, string> } = {},
): Promise<UnixAnswer> {
  const payload =
    typeof body === 'string' || body instanceof Uint8Array || body === undefined ? body : JSON.stringify(body)
  const type = body !== undefined && payload !== body ? { 'content-type': 'application/json' } : {}
  return new Promise((resolve, reject) => {
    const options = { socketPath, method, path, headers: { ...type, ...headers }, agent: false }
    const request = http.request(options, async (response) => {
      const chunks: Buffer[] = []
      for await (const chunk of response) chunks.push(chunk)
      const text = Buffer.concat(chunks).toString('utf8')
      resolve({
        status: response.statusCode ?? 0,
        headers: response.headers,
        body: text,
        json: () => JSON.parse(text),
      })
    })
    request.on('error', reject)
    request.end(payload)
  })
}
