/** HTTP Basic authentication (RFC 7617) against scrypt hashes. @module */
import { createHmac, randomBytes, scrypt, timingSafeEqual } from 'node:crypto'

/** Hashes that are computed at one time; each takes a thread of libuv's pool and 16 MiB for as long as 50 ms. */
const maxHashing = 2
/** Requests that wait for their turn; beyond, credentials are refused unseen rather than let memory grow. */
const maxWaiting = 64
/** Credentials that were right, kept as keyed hashes. */
const maxVerified = 1024
/** No name or password is as long; what is longer is not hashed. */
const longest = 1024

interface Hash {
  cost: { N: number; r: number; p: number; maxmem: number }
  salt: Buffer
  hash: Buffer
}

/**
 * The check of one app's policy. Make a new one for each policy: what was verified belongs to the old passwords.
 *
 * @example
 * const auth = new BasicAuth(policy.basicAuth)
 * if (!(await auth.check(request.headers.authorization))) answer(401, { 'www-authenticate': auth.challenge })
 */
export class BasicAuth {
  /** The value of WWW-Authenticate. */
  readonly challenge: string
  readonly #users: Map<string, Hash>
  /** For names that nobody has, so that their refusal takes as long. */
  readonly #nobody: Hash
  readonly #cacheKey = randomBytes(32)
  readonly #verified = new Set<string>()
  /** The same credentials at one time are hashed once: a browser sends its requests side by side. */
  readonly #pending = new Map<string, Promise<boolean>>()

  constructor({ realm, users }: { realm: string; users: Record<string, string> }) {
    // Only what a quoted string may hold (RFC 9110 5.6.4), so that no realm ends the header.
    this.challenge = `Basic realm="${realm.replace(/[^\x20-\x7e]/g, '').replace(/["\\]/g, '\\$&')}", charset="UTF-8"`
    this.#users = new Map(
      Object.entries(users).flatMap(([name, text]) => {
        const hash = parseHash(text)
        // A hash that can't be read lets nobody in.
        return hash === undefined ? [] : [[name, hash] as const]
      }),
    )
    const [first] = this.#users.values()
    this.#nobody = {
      cost: first?.cost ?? costOf(16_384, 8, 1),
      salt: randomBytes(first?.salt.length ?? 16),
      hash: randomBytes(first?.hash.length ?? 32),
    }
  }

  /**
   * Whether the header's credentials are right. Answers at once where there are none, or where they were right
   * before; else when the hash is computed.
   */
  check(authorization: string | undefined): true | false | Promise<boolean> {
    const credentials = parseCredentials(authorization)
    if (credentials === undefined) return false
    const [name, password] = credentials
    const mark = createHmac('sha256', this.#cacheKey)
      .update(`${name.length}:${name}${password}`)
      .digest('base64')
    if (this.#verified.has(mark)) return true
    const running = this.#pending.get(mark)
    if (running) return running
    if (waiting.length >= maxWaiting) return false
    const checked = this.#verify(name, password, mark).finally(() => this.#pending.delete(mark))
    this.#pending.set(mark, checked)
    return checked
  }

  async #verify(name: string, password: string, mark: string): Promise<boolean> {
    const known = this.#users.get(name)
    const { cost, salt, hash } = known ?? this.#nobody
    const computed = await inTurn(() => derive(password, salt, hash.length, cost)).catch(() => undefined)
    if (computed === undefined || !timingSafeEqual(computed, hash) || known === undefined) return false
    if (this.#verified.size >= maxVerified) this.#verified.clear()
    this.#verified.add(mark)
    return true
  }
}

function parseCredentials(header: string | undefined): [name: string, password: string] | undefined {
  const [, encoded] = /^Basic +([A-Za-z0-9+/_-]+={0,2}) *$/i.exec(header ?? '') ?? []
  if (encoded === undefined || encoded.length > longest * 2) return undefined
  const text = Buffer.from(encoded, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  return colon < 1 ? undefined : [text.slice(0, colon), text.slice(colon + 1)]
}

/** `scrypt$N$r$p$saltBase64$hashBase64`; undefined for what is none, or costs more than a visitor may ask for. */
function parseHash(text: string): Hash | undefined {
  const [scheme, n, r, p, salt64 = '', hash64 = '', ...rest] = text.split('$')
  const [N, blocks, lanes] = [Number(n), Number(r), Number(p)]
  const salt = Buffer.from(salt64, 'base64')
  const hash = Buffer.from(hash64, 'base64')
  const sound =
    scheme === 'scrypt' &&
    rest.length === 0 &&
    [N, blocks, lanes].every((number) => Number.isInteger(number) && number > 0) &&
    N > 1 &&
    Number.isInteger(Math.log2(N)) &&
    128 * N * blocks <= 1 << 28 &&
    lanes <= 16 &&
    salt.length >= 8 &&
    hash.length >= 16
  return sound ? { cost: costOf(N, blocks, lanes), salt, hash } : undefined
}

/** `maxmem`: Node refuses more than 32 MiB unless told. */
const costOf = (N: number, r: number, p: number) => ({ N, r, p, maxmem: 128 * r * (N + p + 2) * 2 })

function derive(password: string, salt: Buffer, length: number, cost: Hash['cost']): Promise<Buffer> {
  return new Promise((resolve, reject) =>
    scrypt(password, salt, length, cost, (error, key) => (error ? reject(error) : resolve(key))),
  )
}

// One line for all apps of a thread: what is bounded is the machine's work.
let hashing = 0
const waiting: Array<() => void> = []

async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  if (hashing >= maxHashing) await new Promise<void>((resolve) => waiting.push(resolve))
  else hashing++
  try {
    return await work()
  } finally {
    // The place is handed on, so that nobody comes between.
    const next = waiting.shift()
    if (next) next()
    else hashing--
  }
}
