/** Passwords of visitors: checked for what can be typed, and hashed in the form of `SitePolicy.basicAuth`. @module */
import { randomBytes, scrypt } from 'node:crypto'
import { invalid } from '@kernel/contracts'

/** 16 MiB and some 40 ms: once for each visitor and thread, as the edge remembers what was right. */
const cost = { N: 16_384, r: 8, p: 1 }

export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16)
  const hash = await new Promise<Buffer>((resolve, reject) =>
    scrypt(password, salt, 32, cost, (error, key) => (error ? reject(error) : resolve(key))),
  )
  return ['scrypt', cost.N, cost.r, cost.p, salt.toString('base64'), hash.toString('base64')].join('$')
}

/** @throws invalid */
export function checkUser(name: string): string {
  if (!/^[^\x00-\x20:\x7f]{1,100}$/.test(name) || name === '__proto__')
    throw invalid(`${JSON.stringify(name)} is no name for a user`, {
      hint: 'Use up to 100 characters, without blanks and colons.',
    })
  return name
}

/** @throws invalid; the password is in no message */
export function checkPassword(password: string): string {
  if (password === '') throw invalid('The password is empty')
  if (password.length > 256 || /[\x00-\x1f\x7f]/.test(password))
    throw invalid('The password is longer than 256 characters, or has some that can not be typed')
  return password
}
